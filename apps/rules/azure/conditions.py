"""The `if` and `existenceCondition` of a definition to a rule tree.

Source: Microsoft Learn, "Azure Policy definition structure: policy rule", Logical operators, Conditions,
Count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.rules.azure.context import FieldCount, Scope, ValueCount
from apps.rules.azure.dialect import CONDITIONS, DIALECT
from apps.rules.azure.fields import Field, as_array, for_all, resolve
from apps.rules.azure.lowering import lower_json, lower_text
from apps.rules.errors import EvaluationError, InvalidPolicy, Unsupported
from apps.rules.scope import possible_types
from apps.rules.tree import (
    Always,
    Column,
    Compare,
    Const,
    Count,
    Element,
    JsonOrMissing,
    Not,
    Path,
    Quantify,
    Rule,
    Tally,
    Value,
    conjunction,
    disjunction,
    negation,
    walk,
)

MAX_DEPTH = 30
MAX_NODES = 5_000
_ORDERED = frozenset({"less", "lessOrEquals", "greater", "greaterOrEquals"})


def rule_of(node: Any, scope: Scope, at: str) -> Rule:
    """The rule of a condition object. Raises `InvalidPolicy`, `Unsupported`."""
    if scope.depth > MAX_DEPTH:
        raise InvalidPolicy(at, f"conditions are nested deeper than {MAX_DEPTH}")
    scope.definition.nodes += 1
    if scope.definition.nodes > MAX_NODES:
        raise InvalidPolicy(at, f"the rule has more than {MAX_NODES} conditions")
    if not isinstance(node, Mapping):
        raise InvalidPolicy(at, "a condition is a JSON object")
    keys = {str(key).lower(): key for key in node}
    for name, build in (("allof", _all_of), ("anyof", _any_of)):
        if name in keys:
            return build(node[keys[name]], scope.deeper(), f"{at}.{keys[name]}")
    if "not" in keys:
        return negation(rule_of(node[keys["not"]], scope.deeper(), f"{at}.{keys['not']}"), at)
    return _condition(node, keys, scope.deeper(), at)


def _items(node: Any, at: str) -> list[Any]:
    if not isinstance(node, list):
        raise InvalidPolicy(at, "a list of conditions is expected")
    return node


def _all_of(node: Any, scope: Scope, at: str) -> Rule:
    """All of the conditions; those on the type are read first, since they tell what the others' aliases
    mean."""
    items = list(enumerate(_items(node, at)))
    items.sort(key=lambda item: not _reads_type(item[1]))
    built: dict[int, Rule] = {}
    for position, item in items:
        rule = rule_of(item, scope, f"{at}[{position}]")
        built[position] = rule
        scope = scope.narrowed(possible_types(rule, scope.row))
    return conjunction(tuple(built[position] for position in sorted(built)), at)


def _reads_type(node: Any, depth: int = 0) -> bool:
    """Whether a condition, or every alternative in it, is about the type."""
    if not isinstance(node, Mapping) or depth > MAX_DEPTH:
        return False
    for key, value in node.items():
        lowered = str(key).lower()
        if lowered == "field":
            return isinstance(value, str) and value.lower() == "type"
        if lowered in ("allof", "anyof") and isinstance(value, list):
            return (any if lowered == "allof" else all)(_reads_type(item, depth + 1) for item in value)
    return False


def _any_of(node: Any, scope: Scope, at: str) -> Rule:
    rules = [rule_of(item, scope, f"{at}[{i}]") for i, item in enumerate(_items(node, at))]
    return disjunction(tuple(rules), at)


def _condition(node: Mapping[str, Any], keys: dict[str, Any], scope: Scope, at: str) -> Rule:
    names = [name for name in keys if name in CONDITIONS]
    subjects = [name for name in ("field", "value", "count", "source") if name in keys]
    if len(subjects) != 1:
        raise InvalidPolicy(at, "a condition has one of field, value, count, allOf, anyOf, not")
    if len(names) != 1:
        unknown = sorted(str(keys[name])[:40] for name in keys if name not in (*CONDITIONS, *subjects))
        raise InvalidPolicy(at, f"exactly one operator is expected{', not ' + unknown[0] if unknown else ''}")
    subject = subjects[0]
    if subject == "source":
        raise Unsupported(f"{at}.{keys[subject]}", "`source` reads the request")
    if len(keys) > 2:
        extra = next(keys[name] for name in keys if name not in (subject, names[0]))
        raise InvalidPolicy(f"{at}.{extra}", "this key has no meaning here")
    operator, raw = CONDITIONS[names[0]], node[keys[names[0]]]
    right_at = f"{at}.{keys[names[0]]}"
    place = f"{at}.{keys[subject]}"
    if subject == "field":
        return _field_condition(node[keys[subject]], operator, raw, scope, (at, place, right_at))
    right = _right(operator, lower_json(raw, scope, right_at), right_at)
    operator = _exactly(operator, right)
    if subject == "value":
        return leaf(operator, lower_json(node[keys[subject]], scope, place), right, at)
    return _count_condition(node[keys[subject]], operator, right, scope, at, place)


def _field_condition(name: Any, operator: str, raw: Any, scope: Scope, places: tuple[str, str, str]) -> Rule:
    at, place, right_at = places
    right = _right(operator, lower_json(raw, scope, right_at), right_at)
    operator = _exactly(operator, right)
    field = _field(name, scope, place)
    if isinstance(field.start, Path) and field.start.root == Column("location", scope.row):
        right = _location(right)
    return for_all(field, lambda value: leaf(operator, value, right, at), scope, at)


def _field(name: Any, scope: Scope, at: str) -> Field:
    if not isinstance(name, str):
        raise InvalidPolicy(at, "a field's name is a text")
    known = lower_text(name, scope, at)
    if not isinstance(known, Const) or not isinstance(known.value, str):
        raise Unsupported(at, "the field's name is chosen by the resource")
    return resolve(known.value, scope, at)


def _location(right: Value) -> Value:
    """Locations are kept without spaces and in lower case ("East US 2" is eastus2), so a literal is read the
    same."""
    if not isinstance(right, Const):
        return right
    value = right.value
    if isinstance(value, str):
        return Const(value.replace(" ", "").lower())
    if isinstance(value, list):
        return Const([item.replace(" ", "").lower() if isinstance(item, str) else item for item in value])
    return right


def _exactly(operator: str, right: Value) -> str:
    """`exists: false` is an operator of its own in the tree."""
    denied = isinstance(right, Const) and str(right.value).lower() == "false"
    return "notExists" if operator == "exists" and denied else operator


def _right(operator: str, right: Value, at: str) -> Value:
    """The right operand, checked for what the operator takes."""
    if not isinstance(right, Const):
        if operator.lower().endswith(("match", "insensitively")) or operator == "exists":
            raise Unsupported(at, f"{operator} compares with a value of the resource")
        return right
    value = right.value
    if operator in ("in", "notIn"):
        if not isinstance(value, list):
            raise InvalidPolicy(at, f"{operator} needs a list")
        if operator == "notIn" and None in value:
            raise Unsupported(at, "notIn with null in its list has no published meaning")
    elif operator == "exists":
        if str(value).lower() not in ("true", "false"):
            raise InvalidPolicy(at, "exists takes true or false")
    elif operator in ("like", "notLike") and str(value).count("*") > 1:
        raise InvalidPolicy(at, f"{operator} takes at most one `*`")
    elif operator in _ORDERED and isinstance(value, bool | list | dict):
        raise InvalidPolicy(at, f"{operator} takes a number, a text or a date")
    return right


def leaf(operator: str, left: Value, right: Value, at: str) -> Rule:
    """The comparison, or its outcome where both sides are known."""
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return Always(DIALECT.operators[operator].evaluate(left.value, right.value))
        except EvaluationError as error:
            raise InvalidPolicy(at, f"{operator} cannot be decided: {error}") from error
    return Compare("azure", operator, left, right, at)


# --- count --------------------------------------------------------------------------------------------------


def _count_condition(node: Any, operator: str, right: Value, scope: Scope, at: str, place: str) -> Rule:
    if not isinstance(node, Mapping):
        raise InvalidPolicy(place, "count is a JSON object")
    keys = {str(key).lower(): key for key in node}
    extra = set(keys) - {"field", "value", "where", "name"}
    if extra or ("field" in keys) == ("value" in keys):
        raise InvalidPolicy(place, "count has a field or a value, and perhaps name and where")
    where = node[keys["where"]] if "where" in keys else None
    where_at = f"{place}.{keys.get('where', 'where')}"
    if "field" in keys:
        over, binding, condition = _field_count(node[keys["field"]], where, scope, f"{place}.field", where_at)
        return _counted(over, binding, condition, operator, right, at)
    name = str(node[keys["name"]]) if "name" in keys else "default"
    array = lower_json(node[keys["value"]], scope, f"{place}.value")
    if isinstance(array, Const):
        return _count_constant(array.value, name, where, operator, right, scope, (at, place, where_at))
    binding = scope.definition.fresh("v")
    inner = scope.within(ValueCount(name, Path(Element(binding), (), name)))
    condition = None if where is None else rule_of(where, inner.deeper(), where_at)
    return _counted(array, binding, condition, operator, right, at)


def _field_count(
    name: Any, where: Any, scope: Scope, at: str, where_at: str
) -> tuple[Value, str, Rule | None]:
    field = _field(name, scope, at)
    if not field.hops:
        raise InvalidPolicy(at, "a counted field ends with [*]")
    known = str(lower_text(name, scope, at).value).strip()  # type: ignore[union-attr]
    binding = scope.definition.fresh("c")
    inner = scope.within(FieldCount(known.lower(), Element(binding)))
    condition = None if where is None else rule_of(where, inner.deeper(), where_at)
    return as_array(field, scope), binding, condition


def _counted(over: Value, binding: str, where: Rule | None, operator: str, right: Value, at: str) -> Rule:
    """`count op n`; "some" and "none", which most counts ask, as a quantifier."""
    bound = where if where is not None else Always(True)
    asks = _asks(operator, right)
    if asks is not None and not _may_fail(bound):
        some = Quantify("any", over, binding, bound, at=at)
        return some if asks else Not(some, at)
    return leaf(operator, Count(over, binding, where), right, at)


def _may_fail(rule: Rule) -> bool:
    """Whether an element may have no answer: then a count is an error where "some" need not be one."""
    return any(
        (
            isinstance(node, Compare)
            and (node.op in _ORDERED or node.op in ("isTrue", "like", "notLike", "in"))
        )
        or type(node).__name__ in ("Func", "Linked")
        for node in walk(rule)
    )


def _asks(operator: str, right: Value) -> bool | None:
    """True where the count is asked to be at least one, False where none, None otherwise."""
    number = right.value if isinstance(right, Const) else None
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    some = {("greater", 0), ("greaterOrEquals", 1), ("notEquals", 0)}
    none = {("less", 1), ("lessOrEquals", 0), ("equals", 0)}
    return True if (operator, number) in some else False if (operator, number) in none else None


def _count_constant(
    array: JsonOrMissing,
    name: str,
    where: Any,
    operator: str,
    right: Value,
    scope: Scope,
    places: tuple[str, str, str],
) -> Rule:
    """A count over a list that is known: one rule an element, equal elements once."""
    at, place, where_at = places
    if not isinstance(array, list):
        raise InvalidPolicy(f"{place}.value", "count needs a list")
    if where is None:
        return leaf(operator, Const(len(array)), right, at)
    rules = [rule_of(where, scope.within(ValueCount(name, Const(item))).deeper(), where_at) for item in array]
    certain = sum(isinstance(rule, Always) and rule.outcome for rule in rules)
    open_rules = tuple(rule for rule in rules if not isinstance(rule, Always))
    if not open_rules:
        return leaf(operator, Const(certain), right, at)
    asks = _asks(operator, right)
    if asks is not None and not any(_may_fail(rule) for rule in open_rules):
        some = Always(True) if certain else disjunction(open_rules, at)
        return some if asks else negation(some, at)
    return leaf(operator, Tally((*open_rules, *[Always(True)] * certain)), right, at)
