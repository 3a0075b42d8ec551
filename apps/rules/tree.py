"""The typed rule tree: what a policy of any language becomes, and all that is evaluated.

Two families of nodes, all of them frozen dataclasses:

* **values** (`Value`): `Const`, `Path`, `Func`, `Count`, `Tally`, `Collect`, `Linked`, `RuleValue`, `Choice`.
  A value is a JSON value or `MISSING`, which is not the same as JSON null (`None`). What a language makes of
  either is its operators' business.
* **rules** (`Rule`): `Always`, `And`, `Or`, `Not`, `Compare`, `Quantify`, `Related`. A rule is true, false or
  an error.

The outcome of a rule is two-valued plus error, and does not depend on the order of its parts:

* `And`: false if any part is false; otherwise an error if any part is one; otherwise true.
* `Or`: true if any part is true; otherwise an error if any part is one; otherwise false.
* `Not`: an error stays an error.
* `Quantify` all/any behave as an `And`/`Or` over the elements; a `Count` with an element in error is an
  error.
* A `Compare` whose operand is an error is an error; so is a `Func` whose argument is one.

Nothing in here knows a policy language. What `Compare.op` and `Func.name` mean is looked up in the dialect
they name (`dialect.py`), both by the SQL back end and by the evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import Enum
from typing import Literal

Json = None | bool | int | float | Decimal | str | list["Json"] | dict[str, "Json"]


class Missing(Enum):
    """The type of `MISSING`: there is no value at all, not even null."""

    MISSING = "missing"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing.MISSING
JsonOrMissing = Json | Missing

ColumnName = Literal[
    "id", "native_id", "provider", "type", "name", "group_name", "location", "account", "status", "tags"
]
"""The columns of an inventory row that a rule may read. `tags` is a JSON object, the others are text or
missing."""

PROVIDERS = frozenset({"aws", "azure", "gcp", "ibm"})
"""What the column `provider` can hold."""


# --- where a path starts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an inventory row. `row` is "" for the resource under evaluation, or the binding of a
    `Related`."""

    name: ColumnName
    row: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The cloud's own document of a row, whole (always a JSON object). `row` as in `Column`."""

    row: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """The element that an enclosing `Quantify`, `Count` or `Collect` binds under this name."""

    binding: str


@dataclass(frozen=True, slots=True)
class Key:
    """A step to a member of an object; missing on anything that is no object.

    With `fold`, letter case is ignored (ASCII): an exact match wins, then the first of the matching keys in
    order of their UTF-8 bytes.
    """

    name: str
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """A step to an element of an array, from the end when negative; missing on anything that is no array."""

    position: int


Root = Column | Document | Element
Step = Key | Index


# --- values -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A literal. Lists and dicts in it are never changed after construction.

    `label` stands for it in words where the value is another at every compilation (`90 days ago`), so that a reason
    stays the same as long as the finding does. It never decides anything.
    """

    value: JsonOrMissing
    label: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Path:
    """A place in the resource, in a related row, or in a bound element. `MISSING` where it leads nowhere.

    `label` is the name people know it by (an Azure alias, a Custodian key); it is shown, and never decides
    anything.
    """

    root: Root
    steps: tuple[Step, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Func:
    """A function of a dialect over values. `label` as in `Path`."""

    dialect: str
    name: str
    args: tuple[Value, ...]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many elements of the array `over` meet `where` (None: all of them). No array counts 0."""

    over: Value
    binding: str
    where: Rule | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of the rules are true."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Collect:
    """The array of `value` for each element of the array `over` that meets `where`, in order.

    MISSING where `over` is no array. An element whose value is MISSING gives no member; with `skip_null`,
    neither does one whose value is null (a JMESPath projection). With `flatten`, a value that is an array
    gives its members instead (one level), and MISSING gives none.
    """

    over: Value
    binding: str
    value: Value
    where: Rule | None = None
    flatten: bool = False
    skip_null: bool = False


@dataclass(frozen=True, slots=True)
class RuleValue:
    """The outcome of a rule as JSON true or false."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Choice:
    """`then` where the test is true, otherwise `otherwise`; only the chosen one's errors count."""

    test: Rule
    then: Value
    otherwise: Value
    label: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """A value read in the inventory row of what the resource belongs to: its resource group or its
    subscription.

    That row is bound as row `binding`; `value` reads only it. An error where the inventory has no such row.
    """

    kind: Literal["resource_group", "subscription"]
    binding: str
    value: Value


# --- rules --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Always:
    """A rule whose outcome is known: True or False."""

    outcome: bool


@dataclass(frozen=True, slots=True)
class And:
    """Every item holds. True without items."""

    items: tuple[Rule, ...]
    at: str = ""


@dataclass(frozen=True, slots=True)
class Or:
    """Some item holds. False without items."""

    items: tuple[Rule, ...]
    at: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    item: Rule
    at: str = ""


# Where a condition stands that the policy's mode implies: Azure's "Indexed" leaves out what has no tags or location.
MODE = "mode"


@dataclass(frozen=True, slots=True)
class Compare:
    """A leaf: the operator `op` of `dialect` over two values.

    An operator of one operand (is it there? is it empty?) gets `Const(MISSING)` as its right one, or its
    setting. `at` is the place in the source document, MODE for what its mode implies; `explain` shows it.
    """

    dialect: str
    op: str
    left: Value
    right: Value
    at: str = ""


@dataclass(frozen=True, slots=True)
class Quantify:
    """`all` or `any` of the elements of the array `over` meet `body`, each bound as `Element(binding)`.

    A value that is no array has no elements (all: true, any: false); with `strict` it is an error instead,
    MISSING and null included.
    """

    kind: Literal["all", "any"]
    over: Value
    binding: str
    body: Rule
    strict: bool = False
    at: str = ""


@dataclass(frozen=True, slots=True)
class Related:
    """Some other inventory row of the same tenant, bound as row `binding`, meets `link` and `where`.

    `types` are the lower-cased resource types looked at. `link` says how the rows belong together (letter
    case does not count):

    * `below`: the row's native_id without its last `segments` path segments is the resource's;
    * `group`: same account and group_name; `account`: same account.
    """

    types: tuple[str, ...]
    binding: str
    link: Literal["below", "group", "account"]
    where: Rule
    segments: int = 2
    at: str = ""


Value = Const | Path | Func | Count | Tally | Collect | RuleValue | Choice | Linked
Rule = Always | And | Or | Not | Compare | Quantify | Related
Node = Value | Rule

NODE_TYPES: tuple[type, ...] = (
    Const, Path, Func, Count, Tally, Collect, RuleValue, Choice, Linked, Always, And, Or, Not, Compare,
    Quantify, Related,
)  # fmt: skip


def children(node: Node) -> Iterator[Node]:
    """The nodes directly under a node, in reading order."""
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, NODE_TYPES):
            yield value  # type: ignore[misc]
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, NODE_TYPES))  # type: ignore[misc]


def walk(node: Node) -> Iterator[Node]:
    """The node and everything under it, depth first, without recursion."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(list(children(current))))


def size(node: Node) -> tuple[int, int]:
    """How deep values that are computed (functions, choices, collections) stand within one another, and how many
    nodes there are."""
    deepest = nodes = 0
    pending = [(node, 0)]
    while pending:
        current, depth = pending.pop()
        nodes += 1
        depth += isinstance(current, Func | Choice | Collect | RuleValue | Tally)
        deepest = max(deepest, depth)
        pending.extend((child, depth) for child in children(current))
    return deepest, nodes


def conjunction(items: tuple[Rule, ...], at: str = "") -> Rule:
    """`And(items)`, simplified where an outcome is known already."""
    return _combine(And, items, at, absorbing=False)


def disjunction(items: tuple[Rule, ...], at: str = "") -> Rule:
    """`Or(items)`, simplified where an outcome is known already."""
    return _combine(Or, items, at, absorbing=True)


def negation(item: Rule, at: str = "") -> Rule:
    """`Not(item)`, simplified where its outcome is known already."""
    if isinstance(item, Always):
        return Always(not item.outcome)
    if isinstance(item, Not):
        return item.item
    return Not(item, at)


def _combine(kind: type[And] | type[Or], items: tuple[Rule, ...], at: str, *, absorbing: bool) -> Rule:
    kept: list[Rule] = []
    for item in items:
        if isinstance(item, Always):
            if item.outcome is absorbing:
                return Always(absorbing)
        else:
            kept.append(item)
    if not kept:
        return Always(not absorbing)
    return kept[0] if len(kept) == 1 else kind(tuple(kept), at)
