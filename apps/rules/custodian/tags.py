"""Tags: `tag:NAME` keys, and how many tags a resource has.

Source: c7n 0.9.53 `BaseValueFilter.get_resource_value`: the document's `Tags` (a list of Key and Value), or
else its `labels`, or else its `tags`. Tags of another shape, which c7n would have normalised when it fetched
them, are read as they are where that is an object; and where the document has none at all, the inventory's own
column of tags is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apps.rules.custodian.conversions import WHITE_SPACE
from apps.rules.dialect import Function, SqlScope
from apps.rules.sql.fragment import Sql, closed, jsonb, sql, text
from apps.rules.sql.values import NotConstant, SqlValue
from apps.rules.text import simple_lower
from apps.rules.tree import MISSING, Column, Const, Document, Func, Json, JsonOrMissing, Key, Path

TRANSFORMS: dict[str, tuple[Callable[[str], str], str]] = {
    "noop": (lambda key: key, "{}"),
    "lower": (simple_lower, 'lower({} collate "pg_c_utf8")'),
    "strip": (lambda key: key.strip(), "btrim({}, {})"),
    "nospaces": (lambda key: key.replace(" ", ""), "replace({}, ' ', '')"),
    "nounderscores": (lambda key: key.replace("_", ""), "replace({}, '_', '')"),
    "nodashes": (lambda key: key.replace("-", ""), "replace({}, '-', '')"),
}
"""Changes to tag names that Python and PostgreSQL make alike."""


def tag_value(name: str, transforms: tuple[str, ...] = (), label: str = "") -> Func:
    """The value of a tag of the resource, whichever way its cloud keeps tags."""
    wanted: list[Json] = [name, *transforms]
    return Func(
        "custodian", "tag", (*tag_places(label or f"tag:{name}"), Const(wanted)), label or f"tag:{name}"
    )


def tag_places(label: str) -> tuple[Path, Path, Path, Path]:
    """Where tags are kept, in the order in which they are looked for."""
    return (
        Path(Document(), (Key("Tags"),), label),
        Path(Document(), (Key("labels"),), label),
        Path(Document(), (Key("tags"),), label),
        Path(Column("tags"), (), label),
    )


def _pairs(args: Sequence[JsonOrMissing]) -> list[tuple[str, JsonOrMissing]]:
    """Names and values of the tags."""
    listed, *holders = args[:4]
    if isinstance(listed, list):
        named = [each for each in listed if isinstance(each, dict) and isinstance(each.get("Key"), str)]
        return [(each["Key"], each.get("Value", MISSING)) for each in named]  # type: ignore[misc]
    for holder in (listed, *holders):
        if isinstance(holder, dict):
            return list(holder.items())
    return []


def _tag(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    name, *transforms = args[4]  # type: ignore[misc, str-unpack]
    for key, value in _pairs(args):
        changed = key
        for transform in transforms:
            changed = TRANSFORMS[transform][0](changed)  # type: ignore[index]
        if changed == name:
            return value
    return MISSING


def _tag_count(args: Sequence[JsonOrMissing]) -> Json:
    return sum(1 for key, _ in _pairs(args) if not key.startswith("aws:"))


def _tag_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    wanted = args[4].constant
    if isinstance(wanted, NotConstant) or not isinstance(wanted, list):
        raise TypeError("a tag is looked up by a constant name")
    name, *transforms = [str(each) for each in wanted]
    if transforms:
        found = _transformed(args, name, transforms, scope)
    else:
        listed = sql(
            "(jsonb_path_query_first({}, '$[*] ? (@.Key == $k)'::jsonpath, {}) -> 'Value')",
            args[0].json(),
            jsonb({"k": name}),
        )
        found = _by_place(args, listed, lambda holder: sql("({} -> {})", holder, text(name)))
    return SqlValue("json", scope.share(found))


def _by_place(args: Sequence[SqlValue], listed: Sql, held: Callable[[Sql], Sql]) -> Sql:
    """The CASE over the places of tags."""
    tags, labels, lower_tags, column = (arg.json() for arg in args[:4])
    return sql(
        "case jsonb_typeof({}) when 'array' then {} when 'object' then {} else"
        " case when jsonb_typeof({}) = 'object' then {} when jsonb_typeof({}) = 'object' then {} else {} end end",
        tags,
        listed,
        held(tags),
        labels,
        held(labels),
        lower_tags,
        held(lower_tags),
        held(column),
    )


def _transformed(args: Sequence[SqlValue], name: str, transforms: list[str], scope: SqlScope) -> Sql:
    """The first tag whose changed name is the wanted one."""

    def changed(key: Sql) -> Sql:
        for transform in transforms:
            form = TRANSFORMS[transform][1]
            key = sql(form, key, text(WHITE_SPACE)) if transform == "strip" else sql(form, key)
        return key

    item, held = scope.alias(), scope.alias()
    listed = sql(
        f"(select {item}.value -> 'Value' from jsonb_array_elements({{}}) with ordinality {item}(value, ord)"
        f" where jsonb_typeof({item}.value -> 'Key') = 'string' and {{}} = {{}} order by {item}.ord limit 1)",
        args[0].json(),
        changed(scope.local(f"({item}.value ->> 'Key')")),
        text(name),
    )

    def in_object(holder: Sql) -> Sql:
        return sql(
            f"(select {held}.value from jsonb_each({{}}) with ordinality {held}(key, value, ord)"
            f" where {{}} = {{}} order by {held}.ord limit 1)",
            holder,
            changed(scope.local(f"{held}.key")),
            text(name),
        )

    return closed(_by_place(args, listed, in_object), item, held)


def _tag_count_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    item, held = scope.alias(), scope.alias()
    listed = sql(
        f"(select count(*) from jsonb_array_elements({{}}) {item}(value) where"
        f" jsonb_typeof({item}.value -> 'Key') = 'string' and not starts_with({item}.value ->> 'Key', 'aws:'))",
        args[0].json(),
    )
    counted = _by_place(
        args,
        listed,
        lambda holder: sql(
            f"(select count(*) from jsonb_object_keys({{}}) {held}(key) where not starts_with({held}.key, 'aws:'))",
            holder,
        ),
    )
    return SqlValue("json", scope.share(sql("to_jsonb({})", counted)))


FUNCTIONS = {
    "tag": Function(_tag, _tag_sql),
    "tag-count": Function(_tag_count, _tag_count_sql),
}
