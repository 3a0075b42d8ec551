"""The special values of a value filter: absent, present, not-null, empty.

Source: c7n 0.9.53 `ValueFilter.match`: null and a missing value are both None; "not-null" and "empty" are
Python's truth of the value, so that 0, false, "", [] and {} are empty. Without an operator a filter also
compares the value with the word itself, which the operators "-or-so" include.
"""

from __future__ import annotations

from apps.rules.custodian.equality import known
from apps.rules.custodian.fragments import jsonbs
from apps.rules.dialect import Operator, SqlScope
from apps.rules.sql.fragment import Sql, jsonb, negate, sql, texts
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.tree import MISSING, Json, JsonOrMissing

EMPTY_VALUES: list[Json] = [None, False, 0, "", [], {}]


def is_absent(value: JsonOrMissing, _: JsonOrMissing = MISSING) -> bool:
    """None: null or missing."""
    return known(value) is None


def is_filled(value: JsonOrMissing, _: JsonOrMissing = MISSING) -> bool:
    """Python's truth of a JSON value."""
    return bool(known(value))


def _is_word(value: JsonOrMissing, word: str) -> bool:
    return isinstance(value, str) and value == word


def _absent(left: SqlValue) -> Sql:
    return sql("coalesce({} = {}, true)", left.json(), jsonb(None))


def _filled(left: SqlValue) -> Sql:
    return sql("coalesce({} <> all({}), false)", left.json(), jsonbs(EMPTY_VALUES))


def _exists(left: SqlValue) -> Sql:
    return sql("({} is not null)", left.json())


def _absent_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(_absent(left))


def _present_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(negate(_absent(left)))


def _filled_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(_filled(left))


def _empty_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(negate(_filled(left)))


def _exists_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(_exists(left))


def _absent_or_so_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(sql("coalesce({} = any({}), true)", left.json(), jsonbs([None, "absent"])))


def _empty_or_so_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(sql("coalesce({} = any({}), true)", left.json(), jsonbs([*EMPTY_VALUES, "empty"])))


def _of_type(value: JsonOrMissing, types: JsonOrMissing) -> bool:
    return isinstance(value, str) and isinstance(types, list) and value in types


def _of_type_sql(left: SqlValue, right: SqlValue, _: SqlScope) -> Truth:
    types: list[str] = right.constant  # type: ignore[assignment]
    return Truth(sql("coalesce({} = any({}), false)", left.text(), texts(types)))


def _only_types(types: JsonOrMissing) -> frozenset[str] | None:
    return frozenset(str(each) for each in types) if isinstance(types, list) else None


OPERATORS = {
    "of-type": Operator(
        _of_type, _of_type_sql, ("must not be one of {}", "must be one of {}"), only=_only_types
    ),
    "absent": Operator(
        is_absent, _absent_sql, ("must be set", "must not be set"), positive=False, missing_when=True
    ),
    "absent-or-so": Operator(
        lambda value, _: is_absent(value) or _is_word(value, "absent"),
        _absent_or_so_sql,
        ("must be set", "must not be set"),
        positive=False,
    ),
    "empty-or-so": Operator(
        lambda value, _: not is_filled(value) or _is_word(value, "empty"),
        _empty_or_so_sql,
        ("must not be empty", "must be empty"),
        positive=False,
    ),
    "present": Operator(
        lambda value, _: not is_absent(value),
        _present_sql,
        ("must not be set", "must be set"),
        missing_when=False,
    ),
    "not-null": Operator(is_filled, _filled_sql, ("must be empty", "must not be empty")),
    "empty": Operator(
        lambda value, _: not is_filled(value),
        _empty_sql,
        ("must not be empty", "must be empty"),
        positive=False,
    ),
    "exists": Operator(lambda value, _: value is not MISSING, _exists_sql, ("must not exist", "must exist")),
}
