"""Field names of conditions, `field()` and `count` to places of the tree.

Sources: Microsoft Learn, "Azure Policy definition structure: policy rule", Fields; "Author policies for array
properties on Azure resources".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from apps.rules.azure.aliases import alias_paths
from apps.rules.azure.context import FieldCount, Scope
from apps.rules.errors import Unsupported
from apps.rules.tree import (
    MISSING,
    Choice,
    Collect,
    Column,
    ColumnName,
    Compare,
    Const,
    Document,
    Element,
    Func,
    Key,
    Path,
    Quantify,
    Root,
    Rule,
    Value,
)

_COLUMNS: dict[str, ColumnName] = {
    "name": "name",
    "type": "type",
    "location": "location",
    "id": "native_id",
    "tags": "tags",
}
_TAG = re.compile(r"tags(?:\.(?P<dotted>.+)|\[\s*(?P<bare>[^\]]*?)\s*\])\Z", re.IGNORECASE | re.DOTALL)
_DOCUMENT_FIELDS = {"kind", "managedby", "sku", "plan", "zones", "identity"}
_CANONICAL = {"managedby": "managedBy"}


@dataclass(frozen=True, slots=True)
class Field:
    """A place, perhaps in arrays: `start`, then for each `[*]` the steps from an element to the next array or
    the end.

    `hops` is empty for a place outside arrays. `types` are the types that have the field, None for all.
    """

    start: Value
    hops: tuple[tuple[Key, ...], ...]
    label: str


def resolve(name: str, scope: Scope, at: str) -> Field:
    """The place that a field name means. Raises `Unsupported` for an alias that is not known."""
    lowered = name.strip().lower()
    for count in reversed(scope.counts):
        if isinstance(count, FieldCount) and _is_within(lowered, count.alias):
            return _within_element(name.strip(), count, scope, at)
    if lowered in _COLUMNS:
        return _plain(Path(Column(_COLUMNS[lowered], scope.row), (), lowered))
    tag = _TAG.match(name.strip())
    if tag is not None:
        return _tag_field(tag, scope)
    if lowered == "fullname":
        return _plain(_full_name(scope, at))
    if "/" not in lowered:
        return _document_field(name.strip(), scope, at)
    return _alias_field(name.strip(), scope, at)


def _plain(value: Path) -> Field:
    return Field(value, (), value.label)


def _is_within(name: str, counted: str) -> bool:
    return name == counted or name.startswith((counted + ".", counted + "["))


def _tag_field(tag: re.Match[str], scope: Scope) -> Field:
    name = tag["dotted"] or (tag["bare"] or "").strip("'\"")
    if not name:
        # A parameter for the name that is left empty: there is no such tag.
        return Field(Const(MISSING), (), "tag without a name")
    return _plain(Path(Column("tags", scope.row), (Key(name, fold=True),), f'tag "{name}"'))


def _full_name(scope: Scope, at: str) -> Path:
    if scope.types is None or any(each.count("/") != 1 for each in scope.types):
        raise Unsupported(at, "fullName is read only of top-level resources, where it is the name")
    return Path(Column("name", scope.row), (), "fullName")


def _document_field(name: str, scope: Scope, at: str) -> Field:
    parts = name.split(".")
    first = parts[0].lower().split("[")[0]
    if first not in _DOCUMENT_FIELDS:
        raise Unsupported(at, f"the field {name[:80]} is not known")
    parts[0] = _CANONICAL.get(first, first) + parts[0][len(first) :]
    return _from_path(".".join(parts), Document(scope.row), name)


def _from_path(path: str, root: Root, label: str) -> Field:
    pieces = [piece.strip(".") for piece in path.split("[*]")]
    steps = [tuple(Key(key) for key in piece.split(".") if key) for piece in pieces]
    return Field(Path(root, steps[0], label), tuple(steps[1:]), label)


def _alias_field(name: str, scope: Scope, at: str) -> Field:
    paths = _paths(name, at)
    label = _label(name)
    used = {each: path for each, path in paths.items() if scope.types is None or each in scope.types} or paths
    if len({path.count("[*]") for path in used.values()}) > 1:
        raise Unsupported(at, f"the alias {name[:120]} is an array on some resource types only")
    fields = {path: _from_path(path, Document(scope.row), label) for path in used.values()}
    certain = scope.types is not None and scope.types <= set(used)
    if len(fields) == 1 and certain:
        return next(iter(fields.values()))
    if len({field.hops for field in fields.values()}) > 1:
        raise Unsupported(at, f"the alias {name[:120]} has arrays of several shapes")
    start: Value = Const(MISSING)
    for path, found in fields.items():
        of_type = Compare(
            "azure",
            "in",
            Path(Column("type", scope.row), (), "type"),
            Const([*sorted(each for each, its in used.items() if its == path)]),
        )
        start = Choice(of_type, found.start, start)
    return Field(start, next(iter(fields.values())).hops, label)


def _paths(name: str, at: str) -> dict[str, str]:
    paths = alias_paths(name)
    if not paths:
        raise Unsupported(at, f"the alias {name[:150]} is not known")
    return paths


def _label(name: str) -> str:
    return name.rpartition("/")[2]


def _within_element(name: str, count: FieldCount, scope: Scope, at: str) -> Field:
    """A place inside the element of an enclosing count."""
    if name.lower() == count.alias:
        return Field(Path(count.element, (), _label(name)), (), _label(name))
    arrays = count.alias.count("[*]")
    shapes = {_tail(path, arrays) for path in _member_paths(name, scope, at)}
    if len(shapes) != 1:
        raise Unsupported(at, f"the alias {name[:120]} lies in different places on different resource types")
    return _from_path(shapes.pop(), count.element, _label(name))


def _member_paths(name: str, scope: Scope, at: str) -> list[str]:
    if "/" not in name:
        return [name]
    paths = _paths(name, at)
    return [path for each, path in paths.items() if scope.types is None or each in scope.types] or list(
        paths.values()
    )


def _tail(path: str, arrays: int) -> str:
    """What follows the nth `[*]` of a path."""
    return "[*]".join(path.split("[*]")[arrays:]).strip(".")


# --- places to rules and values -----------------------------------------------------------------------------


def for_all(field: Field, leaf: Callable[[Value], Rule], scope: Scope, at: str) -> Rule:
    """The condition over a field: of the place itself, or of every member of its arrays."""
    return _all(field.start, field.hops, leaf, scope, at, field.label)


def _all(
    value: Value,
    hops: tuple[tuple[Key, ...], ...],
    leaf: Callable[[Value], Rule],
    scope: Scope,
    at: str,
    label: str,
) -> Rule:
    if not hops:
        return leaf(value)
    binding = scope.definition.fresh("m")
    inner = Path(Element(binding), hops[0], label)
    return Quantify("all", value, binding, _all(inner, hops[1:], leaf, scope, at, label), at=at)


def as_array(field: Field, scope: Scope) -> Value:
    """The array of all members of a field's arrays; MISSING where the outermost is no array."""
    return _collected(field.start, field.hops, scope, field.label)


def _collected(value: Value, hops: tuple[tuple[Key, ...], ...], scope: Scope, label: str) -> Value:
    if len(hops) == 1 and not hops[0]:
        return value
    binding = scope.definition.fresh("m")
    inner = Path(Element(binding), hops[0], label)
    if len(hops) == 1:
        return Collect(value, binding, inner)
    return Collect(value, binding, _collected(inner, hops[1:], scope, label), flatten=True)


def as_value(field: Field, scope: Scope, *, counted: bool) -> Value:
    """What the field() function gives: the empty text for nothing, an array for `[*]` names.

    `counted` says that the name lies in an enclosing count: then it is the array of the one element's
    members.
    """
    if field.hops:
        return Func("azure", "or_list", (as_array(field, scope),))
    if counted:
        return Func("azure", "list", (field.start,))
    return Func("azure", "or_empty", (field.start,))
