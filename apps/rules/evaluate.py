"""The reference evaluator: what a rule means, as plainly as it can be said. It is slow, and it is right.

The SQL back end is held against it by differential tests. It reads resources as Python values, with exact
numbers (`Resource.from_row` parses JSON with Decimal, as jsonb keeps them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.rules.dialect import function, operator
from apps.rules.errors import EvaluationError
from apps.rules.text import ascii_lower
from apps.rules.tree import (
    MISSING,
    Always,
    And,
    Choice,
    Collect,
    Column,
    Compare,
    Const,
    Count,
    Document,
    Element,
    Func,
    Index,
    Json,
    JsonOrMissing,
    Key,
    Linked,
    Not,
    Or,
    Path,
    Quantify,
    Related,
    Rule,
    RuleValue,
    Step,
    Tally,
    Value,
)


@dataclass(frozen=True, slots=True)
class Resource:
    """An inventory row. Text columns are None where the row has none; `properties` is the cloud's own
    document."""

    type: str
    properties: Mapping[str, Any]
    tags: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    native_id: str | None = None
    provider: str | None = None
    name: str | None = None
    group_name: str | None = None
    location: str | None = None
    account: str | None = None
    status: str | None = None

    def column(self, name: str) -> JsonOrMissing:
        """A column's value, MISSING where it is SQL NULL."""
        value = getattr(self, name)
        return MISSING if value is None else value


@dataclass(frozen=True, slots=True)
class Frame:
    """What names mean at one point of a rule: the rows, and the elements of the arrays around it."""

    rows: Mapping[str, Resource]
    elements: Mapping[str, Json]
    inventory: Sequence[Resource]

    def with_element(self, binding: str, element: Json) -> Frame:
        return Frame(self.rows, {**self.elements, binding: element}, self.inventory)

    def with_row(self, binding: str, row: Resource) -> Frame:
        return Frame({**self.rows, binding: row}, self.elements, self.inventory)


def frame(resource: Resource, inventory: Sequence[Resource] = ()) -> Frame:
    """The frame in which a policy is evaluated: the resource, and the tenant's whole inventory for
    `Related`."""
    return Frame({"": resource}, {}, inventory)


def evaluate(rule: Rule, resource: Resource, inventory: Sequence[Resource] = ()) -> bool:
    """Whether the rule is true of the resource. Raises `EvaluationError` where it has no answer."""
    return holds(rule, frame(resource, inventory))


def holds(rule: Rule, at: Frame) -> bool:
    """The outcome of a rule in a frame. Raises `EvaluationError`."""
    match rule:
        case Always(outcome):
            return outcome
        case And(items):
            return _decide((_attempt(item, at) for item in items), decisive=False)
        case Or(items):
            return _decide((_attempt(item, at) for item in items), decisive=True)
        case Not(item):
            return not holds(item, at)
        case Compare(dialect, op, left, right):
            return operator(dialect, op).evaluate(value_of(left, at), value_of(right, at))
        case Quantify():
            outcomes = (_attempt(rule.body, at.with_element(rule.binding, e)) for e in members(rule, at))
            return _decide(outcomes, decisive=rule.kind == "any")
        case Related():
            return _related(rule, at)


def value_of(value: Value, at: Frame) -> JsonOrMissing:
    """A value in a frame. Raises `EvaluationError`."""
    match value:
        case Const(constant):
            return constant
        case Path(root, steps):
            return _follow(_root(root, at), steps)
        case Func(dialect, name, args):
            return function(dialect, name).evaluate([value_of(arg, at) for arg in args])
        case Count():
            return len(list(_matching(value, value_of(value.over, at), at)))
        case Tally(rules):
            return sum(holds(rule, at) for rule in rules)
        case Collect():
            return _collected(value, at)
        case Linked():
            return _linked_value(value, at)
        case RuleValue(rule):
            return holds(rule, at)
        case Choice(test, then, otherwise):
            return value_of(then if holds(test, at) else otherwise, at)


def _attempt(rule: Rule, at: Frame) -> bool | EvaluationError:
    try:
        return holds(rule, at)
    except EvaluationError as error:
        return error


def _decide(outcomes: Iterable[bool | EvaluationError], *, decisive: bool) -> bool:
    """The decisive outcome if any part has it; else the first error; else the other outcome."""
    error: EvaluationError | None = None
    for outcome in outcomes:
        if outcome is decisive:
            return decisive
        if isinstance(outcome, EvaluationError):
            error = error or outcome
    if error is not None:
        raise error
    return not decisive


def members(rule: Quantify, at: Frame) -> list[Json]:
    """The elements that a quantifier runs over. Raises `EvaluationError`."""
    array = value_of(rule.over, at)
    if isinstance(array, list):
        return array
    if rule.strict:
        raise EvaluationError("an array is expected here")
    return []


def _matching(node: Count | Collect, array: JsonOrMissing, at: Frame) -> Iterable[Frame]:
    """The frames of the elements that meet `where`."""
    inside = [at.with_element(node.binding, element) for element in array] if isinstance(array, list) else []
    return [each for each in inside if node.where is None or holds(node.where, each)]


def _collected(node: Collect, at: Frame) -> JsonOrMissing:
    array = value_of(node.over, at)
    if not isinstance(array, list):
        return MISSING
    gathered: list[JsonOrMissing] = []
    for each in _matching(node, array, at):
        item = value_of(node.value, each)
        if node.flatten and isinstance(item, list):
            gathered.extend(item)
        else:
            gathered.append(item)
    return [item for item in gathered if item is not MISSING and not (node.skip_null and item is None)]


def _related(rule: Related, at: Frame) -> bool:
    resource = at.rows[""]
    linked = [row for row in at.inventory if row.type in rule.types and _linked(rule, resource, row)]
    return _decide((_attempt(rule.where, at.with_row(rule.binding, row)) for row in linked), decisive=True)


def _linked(rule: Related, resource: Resource, other: Resource) -> bool:
    if rule.link == "below":
        if resource.native_id is None or other.native_id is None:
            return False
        segments = other.native_id.split("/")
        above = "/".join(segments[: -rule.segments]) if len(segments) > rule.segments else other.native_id
        return ascii_lower(above) == ascii_lower(resource.native_id)
    columns = ("account",) if rule.link == "account" else ("account", "group_name")
    return all(
        ascii_lower(getattr(resource, name) or "") == ascii_lower(getattr(other, name) or "")
        for name in columns
    )


LINKED_TYPES = {
    "resource_group": "microsoft.resources/subscriptions/resourcegroups",
    "subscription": "microsoft.resources/subscriptions",
}
"""The types of the rows that a `Linked` value is read in."""


def _linked_value(node: Linked, at: Frame) -> JsonOrMissing:
    resource = at.rows[""]
    wanted = ascii_lower(resource.account or "")
    if node.kind == "resource_group":
        wanted += "\x1f" + ascii_lower(resource.group_name or "")
    rows = [row for row in at.inventory if row.type == LINKED_TYPES[node.kind]]
    keyed = {_linked_key(node, row): row for row in sorted(rows, key=lambda row: row.id.encode())}
    if wanted not in keyed:
        raise EvaluationError(f"the inventory has no row of its {node.kind.replace('_', ' ')}")
    return value_of(node.value, at.with_row(node.binding, keyed[wanted]))


def _linked_key(node: Linked, row: Resource) -> str:
    last = (row.native_id or "").rpartition("/")[2]
    account = row.account or "" if node.kind == "resource_group" else last
    return ascii_lower(account) + ("\x1f" + ascii_lower(last) if node.kind == "resource_group" else "")


def _root(root: Column | Document | Element, at: Frame) -> JsonOrMissing:
    match root:
        case Column(name, row):
            return at.rows[row].column(name)
        case Document(row):
            return dict(at.rows[row].properties)
        case Element(binding):
            return at.elements[binding]


def _follow(start: JsonOrMissing, steps: Sequence[Step]) -> JsonOrMissing:
    current = start
    for step in steps:
        if isinstance(step, Index):
            inside = isinstance(current, list) and -len(current) <= step.position < len(current)
            current = current[step.position] if inside else MISSING  # type: ignore[index]
        else:
            current = _member(current, step) if isinstance(current, dict) else MISSING
    return current


def _member(holder: dict[str, Json], step: Key) -> JsonOrMissing:
    if step.name in holder or not step.fold:
        return holder.get(step.name, MISSING)
    wanted = ascii_lower(step.name)
    names = sorted((name for name in holder if ascii_lower(name) == wanted), key=str.encode)
    return holder[names[0]] if names else MISSING
