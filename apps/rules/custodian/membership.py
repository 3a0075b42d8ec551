"""Python's `in` in both directions: in, not-in, ni, contains, and their swapped forms.

Source: c7n 0.9.53 `OPERATORS` and `ValueFilter.match`. A TypeError (a number sought in a text, anything in
null) makes the filter false, for `not-in` as well. For `in` and `not-in` a value of None is first replaced
by an empty tuple, which is in no list and compares with no text; `ni` does not do that.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.rules.custodian.equality import equal, known, member_sql, twins
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.custodian.presence import is_absent
from apps.rules.dialect import Operator, SqlScope
from apps.rules.sql.fragment import (
    FALSE,
    TRUE,
    Sql,
    all_of,
    any_of,
    closed,
    jsonb,
    negate,
    reading,
    sql,
    text,
)
from apps.rules.sql.values import NotConstant, SqlValue, Truth
from apps.rules.tree import Json, JsonOrMissing


def found_in(item: Json, holder: Json) -> bool | None:
    """`item in holder` as Python has it; None where Python raises TypeError."""
    if isinstance(holder, list):
        return any(equal(item, each) for each in holder)
    if isinstance(holder, str):
        return item in holder if isinstance(item, str) else None
    if isinstance(holder, dict):
        return None if isinstance(item, (list, dict)) else item in holder
    return None


# --- the resource's value in the policy's ---------------------------------------------------------------------


def _in(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return not is_absent(left) and found_in(known(left), known(right)) is True


def _not_in(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    if is_absent(left):
        return isinstance(right, (list, dict))
    return found_in(known(left), known(right)) is False


def _in_sql(x: Sql, constant: Json) -> Sql:
    """`x in constant`, where x None is in nothing."""
    if isinstance(constant, list):
        return member_sql(x, [item for item in constant if item is not None])
    if isinstance(constant, str):
        return by_kind(x, {"string": _within(string_of(x), constant)}, FALSE)
    return member_sql(x, list(constant)) if isinstance(constant, dict) else FALSE


def _not_in_sql(x: Sql, constant: Json) -> Sql:
    if isinstance(constant, list):
        return negate(_in_sql(x, constant))
    if isinstance(constant, str):
        return by_kind(x, {"string": negate(_within(string_of(x), constant))}, FALSE)
    if isinstance(constant, dict):
        return by_kind(x, {"array": FALSE, "object": FALSE}, negate(member_sql(x, list(constant))))
    return FALSE


def _within(part: Sql, whole: str) -> Sql:
    return sql("strpos({}, {}) > 0", text(whole), part)


def _ni(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return found_in(known(left), known(right)) is False


def _ni_sql(x: Sql, constant: Json) -> Sql:
    """As `_not_in_sql`, but None is a value like any other."""
    if isinstance(constant, list):
        return negate(member_sql(x, constant))
    return _not_in_sql(x, constant)


def _within_list(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return found_in(known(left), known(right)) is True


def _within_list_sql(x: Sql, constant: Json) -> Sql:
    """As `_in_sql`, but None is a value like any other."""
    return member_sql(x, constant) if isinstance(constant, list) else _in_sql(x, constant)


# --- the policy's value in the resource's ---------------------------------------------------------------------


def _contains(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return found_in(known(right), known(left)) is True


def _lacks(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return is_absent(left) or _lacks_known(left, right)


def _lacks_known(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return found_in(known(right), known(left)) is False


def _contains_sql(x: Sql, constant: Json) -> Sql:
    cases = {"array": array_holds(x, constant)}
    if isinstance(constant, str):
        cases["string"] = _holds_text(x, constant)
        cases["object"] = sql("jsonb_exists({}, {})", x, text(constant))
    return by_kind(x, cases, FALSE)


def _lacks_known_sql(x: Sql, constant: Json) -> Sql:
    cases = {"array": negate(array_holds(x, constant))}
    if isinstance(constant, str):
        cases["string"] = negate(_holds_text(x, constant))
        cases["object"] = negate(sql("jsonb_exists({}, {})", x, text(constant)))
    elif not isinstance(constant, (list, dict)):
        cases["object"] = TRUE
    return by_kind(x, cases, FALSE)


def _lacks_sql(x: Sql, constant: Json) -> Sql:
    absent = sql("coalesce({} = {}, true)", x, jsonb(None))
    return any_of([absent, _lacks_known_sql(x, constant)])


def _holds_text(x: Sql, constant: str) -> Sql:
    return sql("strpos({}, {}) > 0", string_of(x), text(constant))


def array_holds(x: Sql, constant: Json) -> Sql:
    """Whether the jsonb array `x` has a member that equals the constant. Only for arrays."""
    if isinstance(constant, (list, dict)):
        return _some_member(x, member_sql(reading("m", "m.value"), [constant]))
    return any_of([sql("({} @> {})", x, jsonb([twin])) for twin in twins(constant)])


def _some_member(x: Sql, condition: Sql) -> Sql:
    """Whether a member of the array, under the alias m, meets the condition."""
    return closed(sql("exists (select 1 from jsonb_array_elements({}) m where {})", x, condition), "m")


# --- sets -----------------------------------------------------------------------------------------------------


def as_set(value: JsonOrMissing) -> list[Json] | None:
    """The members of `set(value)`, repeated ones not yet dropped; None where Python raises TypeError."""
    if isinstance(value, (str, dict)):
        return list(value)
    if isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value):
        return list(value)
    return None


def _intersect(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    a, b = as_set(left), as_set(right)
    return a is not None and b is not None and any(equal(x, y) for x in a for y in b)


def _difference(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    a, b = as_set(left), as_set(right)
    return a is not None and b is not None and any(not any(equal(x, y) for y in b) for x in a)


def _difference_of(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return _difference(right, left)


def _hashable(x: Sql) -> Sql:
    """Whether no member of the jsonb array is an array or an object."""
    path = 'strict $[*] ? (@.type() == "array" || @.type() == "object")'
    return sql("not jsonb_path_exists({}, {}::jsonpath)", x, text(path))


def _texts_of(members: list[Json]) -> list[str]:
    return [member for member in members if isinstance(member, str)]


def _letters(members: list[Json]) -> Sql:
    return text("".join(dict.fromkeys(member for member in _texts_of(members) if len(member) == 1)))


def _text_array(members: list[Json]) -> Sql:
    return Sql("%s::text[]", (_texts_of(members),))


def _intersect_sql(x: Sql, constant: Json) -> Sql:
    members = as_set(constant)
    if members is None:
        return FALSE
    held = [array_holds(x, member) for member in members if not isinstance(member, str)]
    any_text = sql("jsonb_exists_any({}, {})", x, _text_array(members))
    shorter = sql("translate({}, {}, '') <> {}", string_of(x), _letters(members), string_of(x))
    return by_kind(
        x,
        {"array": all_of([any_of([any_text, *held]), _hashable(x)]), "string": shorter, "object": any_text},
        FALSE,
    )


def _difference_sql(x: Sql, constant: Json) -> Sql:
    members = as_set(constant)
    if members is None:
        return FALSE
    outside = _some_member(x, negate(member_sql(reading("m", "m.value"), members)))
    return by_kind(
        x,
        {
            "array": all_of([outside, _hashable(x)]),
            "string": sql("translate({}, {}, '') <> ''", string_of(x), _letters(members)),
            "object": sql("({} - {}) <> jsonb_build_object()", x, _text_array(members)),
        },
        FALSE,
    )


def _difference_of_sql(x: Sql, constant: Json) -> Sql:
    members = as_set(constant)
    if members is None:
        return FALSE
    letters = [m for m in _texts_of(members) if len(m) == 1]
    beyond_text = len(letters) < len(members)
    string = TRUE if beyond_text else any_of([negate(_holds_text(x, letter)) for letter in letters])
    texts_only = len(_texts_of(members)) == len(members)
    keys = negate(sql("jsonb_exists_all({}, {})", x, _text_array(members))) if texts_only else TRUE
    missing = any_of([negate(array_holds(x, member)) for member in members])
    return by_kind(x, {"array": all_of([missing, _hashable(x)]), "string": string, "object": keys}, FALSE)


def _operator(
    evaluate: Callable[[JsonOrMissing, JsonOrMissing], bool],
    build: Callable[[Sql, Json], Sql],
    demands: tuple[str, str],
    *,
    positive: bool = True,
) -> Operator:
    def to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        if isinstance(right.constant, NotConstant):
            raise TypeError("membership is decided against a constant")
        constant = known(right.constant)
        return Truth(once(left, scope, lambda x: build(x, constant)))

    return Operator(evaluate, to_sql, demands, positive)


_ONE_OF, _NONE_OF = "must be one of {}", "must not be one of {}"
_WITH, _WITHOUT = "must contain {}", "must not contain {}"

OPERATORS = {
    "in": _operator(_in, _in_sql, (_NONE_OF, _ONE_OF)),
    "not-in": _operator(_not_in, _not_in_sql, (_ONE_OF, _NONE_OF), positive=False),
    "ni": _operator(_ni, _ni_sql, (_ONE_OF, _NONE_OF), positive=False),
    "within": _operator(_within_list, _within_list_sql, (_NONE_OF, _ONE_OF)),
    "contains": _operator(_contains, _contains_sql, (_WITHOUT, _WITH)),
    "lacks": _operator(_lacks, _lacks_sql, (_WITH, _WITHOUT), positive=False),
    "lacks-known": _operator(_lacks_known, _lacks_known_sql, (_WITH, _WITHOUT), positive=False),
    "intersect": _operator(_intersect, _intersect_sql, ("must contain none of {}", "must contain one of {}")),
    "difference": _operator(
        _difference,
        _difference_sql,
        ("must contain nothing beside {}", "must contain something beside {}"),
        positive=False,
    ),
    "difference-of": _operator(
        _difference_of,
        _difference_of_sql,
        ("must contain all of {}", "must not contain all of {}"),
        positive=False,
    ),
}
