"""The comparisons inside JMESPath expressions, as jmespath 1.1 makes them.

Source: jmespath.org specification, and `jmespath/visitor.py` where it goes beyond it: texts are ordered too.
Null and missing are one. Numbers and truth values are never equal here, unlike in a value filter.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from apps.rules.custodian.equality import exact, known
from apps.rules.custodian.fragments import jsonbs
from apps.rules.dialect import Operator, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import Sql, all_of, any_of, jsonb, negate, sql
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.tree import MISSING, Json, JsonOrMissing

_FALSE_VALUES: list[Json] = [None, False, "", [], {}]


def true_value(value: JsonOrMissing, _: JsonOrMissing = MISSING) -> bool:
    """JMESPath's truth: everything but null, false, and empty texts, arrays and objects. 0 is true."""
    return value is not MISSING and not any(same(value, each) for each in _FALSE_VALUES)


def same(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    """JSON equality: numbers by value, kinds apart."""
    a, b = known(left), known(right)
    if _is_number(a) and _is_number(b):
        return exact(a) == exact(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _comparable(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return all(_is_number(each) or isinstance(each, str) for each in (left, right))


def _true_sql(left: SqlValue, _: SqlValue, __: SqlScope) -> Truth:
    return Truth(sql("coalesce({} <> all({}), false)", left.json(), jsonbs(_FALSE_VALUES)))


def _same_sql(left: SqlValue, right: SqlValue, _: SqlScope) -> Truth:
    return Truth(sql("{} = {}", _or_null(left), _or_null(right)))


def _or_null(value: SqlValue) -> Sql:
    return sql("coalesce({}, {})", value.json(), jsonb(None))


def _kind_in(value: SqlValue, *kinds: str) -> Sql:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return sql(f"coalesce(jsonb_typeof({{}}) in ({listed}), false)", value.json())


def _comparable_sql(left: SqlValue, right: SqlValue, _: SqlScope) -> Truth:
    return Truth(all_of([_kind_in(left, "number", "string"), _kind_in(right, "number", "string")]))


def _order(symbol: str, compare: Callable[[Any, Any], bool]) -> Operator:
    def evaluate(left: JsonOrMissing, right: JsonOrMissing) -> bool:
        if not _comparable(left, right):
            return False
        if isinstance(left, str) is not isinstance(right, str):
            raise EvaluationError("a number is compared with a text")
        return compare(known(left), known(right))

    def to_sql(left: SqlValue, right: SqlValue, _: SqlScope) -> Truth:
        numbers = all_of([_kind_in(left, "number"), _kind_in(right, "number")])
        strings = all_of([_kind_in(left, "string"), _kind_in(right, "string")])
        mixed = any_of(
            [
                all_of([_kind_in(left, "number"), _kind_in(right, "string")]),
                all_of([_kind_in(left, "string"), _kind_in(right, "number")]),
            ]
        )
        holds = sql(
            f'case when {{}} then {{}} {symbol} {{}} when {{}} then ({{}}) collate "C" {symbol} {{}} else false end',
            numbers,
            left.json(),
            right.json(),
            strings,
            left.text(),
            right.text(),
        )
        return Truth(holds, all_of([negate(holds), negate(mixed)]))

    return Operator(evaluate, to_sql, (f"must not be {symbol} {{}}", f"must be {symbol} {{}}"))


_TRUE = ("must not hold", "must hold")

OPERATORS = {
    "jmespath-true": Operator(true_value, _true_sql, _TRUE),
    "jmespath-same": Operator(same, _same_sql, ("must not be {}", "must be {}")),
    "jmespath-comparable": Operator(_comparable, _comparable_sql, _TRUE),
    "jmespath-<": _order("<", operator.lt),
    "jmespath-<=": _order("<=", operator.le),
    "jmespath->": _order(">", operator.gt),
    "jmespath->=": _order(">=", operator.ge),
}
