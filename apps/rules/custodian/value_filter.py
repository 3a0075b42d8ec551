"""Value filters as rules.

Source: c7n 0.9.53 `ValueFilter.match` and `process_value_type`. A filter is true where its special value
holds (absent, present, not-null, empty) or its operator does, both over the converted value; so
`{op: in, value: absent}` is a search in the text "absent" as well.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.rules.custodian.context import Context, Filter, as_json, only_keys
from apps.rules.custodian.dates import read_date, shifted
from apps.rules.custodian.equality import known
from apps.rules.custodian.keys import key_value
from apps.rules.custodian.networks import network_rule, prefix_rule
from apps.rules.custodian.presence import is_filled
from apps.rules.custodian.regexes import PatternRefused, parsed
from apps.rules.custodian.templates import filled, template
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import MISSING, Always, Compare, Const, Func, Json, Rule, Value, disjunction
from apps.rules.wording import name_of

OPERATOR_NAMES = {
    "eq": "equal", "equal": "equal", "ne": "not-equal", "not-equal": "not-equal",
    "gt": "greater", "greater-than": "greater", "ge": "greater-or-equal", "gte": "greater-or-equal",
    "le": "less-or-equal", "lte": "less-or-equal", "lt": "less", "less-than": "less",
    "glob": "glob", "regex": "regex", "regex-case": "regex-case",
    "in": "in", "ni": "ni", "not-in": "not-in",
    "contains": "contains", "difference": "difference", "intersect": "intersect", "mod": "mod",
}  # fmt: skip
"""c7n's operators and the dialect's names of them."""

SWAPPED = {
    "equal": "equal", "not-equal": "not-equal", "greater": "less", "greater-or-equal": "less-or-equal",
    "less": "greater", "less-or-equal": "greater-or-equal", "in": "contains", "not-in": "lacks",
    "ni": "lacks-known", "contains": "within", "intersect": "intersect", "difference": "difference-of",
}  # fmt: skip
"""The operator that says the same with its operands exchanged."""

NUMERIC = frozenset({"equal", "not-equal", "greater", "greater-or-equal", "less", "less-or-equal"})
"""Operators that compare numbers and dates; for these, the others are false or fail."""

VALUE_SETTINGS = {
    "key", "value", "op", "value_type", "default", "value_regex", "value_from", "value_path", "tag_key_transforms",
}  # fmt: skip

_REFUSED_TYPES = {
    "expr": "value_type expr takes the compared value from the resource",
    "resource_count": "value_type resource_count counts the resources found, which is no property of one",
    "version": "value_type version compares loose version numbers",
}
_CONVERSIONS = {
    "normalize": "normalize", "integer": "integer", "float": "float", "size": "size", "unique_size": "unique-size",
}  # fmt: skip
_DATE_OPERATORS = {
    "equal": "at", "not-equal": "not-at", "less": "before", "less-or-equal": "not-after",
    "greater": "after", "greater-or-equal": "not-before",
}  # fmt: skip
MOST_DAYS = 3_000_000


def value_filter(data: Filter, context: Context, at: str) -> Rule:
    """The rule of a value filter in its long form."""
    only_keys(data, VALUE_SETTINGS, at)
    refuse_sources(data, at)
    if "key" not in data or "value" not in data:
        missing = "value" if "key" in data else "key"
        raise InvalidPolicy(at, f"a value filter has a {missing}")
    left = key_value(data["key"], context, f"{at}.key", data.get("tag_key_transforms"))
    return compared(data, left, context, at)


def short_filter(key: str, value: object, context: Context, at: str) -> Rule:
    """The rule of `{key: value}`."""
    return compared({"value": value}, key_value(key, context, at), context, at)


def compared(data: Filter, left: Value, context: Context, at: str) -> Rule:
    """The rule of a value filter's op, value and value_type over a value already found."""
    operator = operator_name(data.get("op"), f"{at}.op")
    value_type = data.get("value_type")
    constant = as_json(data["value"])
    if isinstance(value_type, str) and value_type in _REFUSED_TYPES:
        raise Unsupported(f"{at}.value_type", _REFUSED_TYPES[value_type])
    _check_pattern(operator, constant, at)
    if value_type is None:
        return _plain(operator, left, constant, at)
    if isinstance(value_type, str) and value_type in _CONVERSIONS:
        return _plain(operator, Func("custodian", _CONVERSIONS[value_type], (left,)), constant, at)
    builders = _BY_TYPE | _dated_rules(context)
    build = builders.get(value_type) if isinstance(value_type, str) else None
    if build is None:
        raise InvalidPolicy(f"{at}.value_type", f'there is no value_type "{str(value_type)[:50]}"')
    return build(operator, left, constant, at)


def operator_name(op: object, at: str) -> str | None:
    """The dialect's name of an operator; None where the filter has none."""
    if op is None:
        return None
    if not isinstance(op, str) or op not in OPERATOR_NAMES:
        raise InvalidPolicy(at, f'there is no operator "{str(op)[:50]}"')
    return OPERATOR_NAMES[op]


def refuse_sources(data: Filter, at: str) -> None:
    value_type = data.get("value_type")
    if isinstance(value_type, str) and value_type in _REFUSED_TYPES:
        raise Unsupported(f"{at}.value_type", _REFUSED_TYPES[value_type])
    for name, reason in (
        ("value_from", "value_from reads the compared value from elsewhere"),
        ("value_path", "value_path takes the compared value from the resource"),
        ("value_regex", "value_regex takes part of a value by a regular expression"),
    ):
        if name in data:
            raise Unsupported(f"{at}.{name}", reason)


def _check_pattern(operator: str | None, constant: Json, at: str) -> None:
    if operator not in ("regex", "regex-case"):
        return
    if not isinstance(constant, str):
        raise InvalidPolicy(f"{at}.value", "a regular expression is a text")
    try:
        parsed(constant, ignore_case=operator == "regex")
    except PatternRefused as error:
        raise Unsupported(f"{at}.value", str(error)) from error


def _leaf(op: str, left: Value, constant: Json, at: str) -> Rule:
    return Compare("custodian", op, left, Const(constant), at)


def _plain(operator: str | None, left: Value, constant: Json, at: str) -> Rule:
    """The comparison without a change of operands."""
    pieces = template(constant, f"{at}.value")
    if pieces is not None:
        return filled(operator or "equal", left, pieces, at)
    if operator is None and constant in ("absent", "present", "not-null", "empty"):
        return Compare("custodian", _WORDS[str(constant)], left, Const(MISSING), at)
    special = _special(constant, left, at, none_is_tuple=operator in ("in", "not-in"))
    if operator == "mod":
        _check_divisor(constant, at)
    return disjunction((*special, _leaf(operator or "equal", left, constant, at)), at)


_WORDS = {"absent": "absent-or-so", "present": "present", "not-null": "not-null", "empty": "empty-or-so"}


def _special(constant: Json, left: Value, at: str, *, none_is_tuple: bool) -> tuple[Rule, ...]:
    """What a special value adds; for `in` and `not-in` a None has become an empty tuple before."""
    if constant == "absent":
        return () if none_is_tuple else (Compare("custodian", "absent", left, Const(MISSING), at),)
    if constant == "present":
        present = Compare("custodian", "present", left, Const(MISSING), at)
        return (Always(True) if none_is_tuple else present,)
    if constant in ("not-null", "empty"):
        return (Compare("custodian", str(constant), left, Const(MISSING), at),)
    return ()


def _check_divisor(constant: Json, at: str) -> None:
    if isinstance(constant, bool) or not isinstance(constant, int):
        raise Unsupported(f"{at}.value", "mod is supported with a whole number")
    if constant == 0:
        raise InvalidPolicy(f"{at}.value", "mod by 0")


def _swapped(operator: str | None, left: Value, constant: Json, at: str) -> Rule:
    """The operands exchanged before the special values are tried: the resource's text may be one."""
    name = operator or "equal"
    if name not in SWAPPED:
        raise Unsupported(f"{at}.value_type", f"value_type swap with {name}: the pattern is the resource's")
    words = ["absent"] if constant is None else ["present"]
    words.append("not-null" if is_filled(constant) else "empty")
    special = tuple(_leaf("equal", left, word, at) for word in words)
    return disjunction((*special, _leaf(SWAPPED[name], left, constant, at)), at)


def _dated(
    threshold: Callable[[Json, str], Const], operators: dict[str, str]
) -> Callable[[str | None, Value, Json, str], Rule]:
    def build(operator: str | None, left: Value, constant: Json, at: str) -> Rule:
        limit = threshold(constant, at)
        name = operators.get(operator or "equal")
        if name is None:  # every other operator raises TypeError over dates, which c7n takes for false
            return Always(False)
        return Compare("custodian", name, Func("custodian", "date", (left,), name_of(left)), limit, at)

    return build


def _days(constant: Json, at: str) -> float:
    if not isinstance(constant, (int, float)):
        raise InvalidPolicy(f"{at}.value", "the value_type takes a number of days")
    if abs(constant) > MOST_DAYS:
        raise InvalidPolicy(f"{at}.value", "too many days")
    return constant


def _fixed_date(constant: Json, at: str) -> Const:
    found = read_date(known(constant))
    if found is None:
        raise InvalidPolicy(f"{at}.value", "no date that can be read: write YYYY-MM-DD")
    return Const(found)


_AGE_OPERATORS = {name: _DATE_OPERATORS[SWAPPED[name]] for name in _DATE_OPERATORS}
"""The threshold stands on the left: greater is older."""


def _dated_rules(context: Context) -> dict[str, Callable[[str | None, Value, Json, str], Rule]]:
    """The value types that depend on the time of the run."""
    return {
        "age": _dated(lambda c, at: shifted(context.now, days=-_days(c, at)), _AGE_OPERATORS),
        "expiration": _dated(lambda c, at: shifted(context.now, days=_days(c, at)), _DATE_OPERATORS),
    }


_BY_TYPE: dict[str, Callable[[str | None, Value, Json, str], Rule]] = {
    "swap": _swapped,
    "date": _dated(_fixed_date, _DATE_OPERATORS),
    "cidr": network_rule,
    "cidr_size": prefix_rule,
}
