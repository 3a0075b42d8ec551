"""Python's `<`, `<=`, `>`, `>=` over JSON values; what Python refuses to compare is false.

Source: c7n 0.9.53 `ValueFilter.match`, where a TypeError of the operator makes the filter false. Numbers
(and truth values, as 0 and 1) compare with numbers, strings with strings by code point, lists with lists
member by member; null, a missing value and objects compare with nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from apps.rules.custodian.equality import equal, equal_sql, exact, is_number, known
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.dialect import Operator, SqlScope
from apps.rules.sql.fragment import FALSE, Sql, any_of, integer, jsonb, number, sql, text
from apps.rules.sql.values import NotConstant, SqlValue, Truth
from apps.rules.tree import Json, JsonOrMissing

_SYMBOLS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def ordered(left: JsonOrMissing, right: JsonOrMissing, symbol: str) -> bool:
    """`left symbol right` as Python has it, false where Python raises TypeError."""
    compare = _SYMBOLS[symbol]
    a, b = known(left), known(right)
    if is_number(a) and is_number(b):
        return compare(exact(a), exact(b))
    if isinstance(a, str) and isinstance(b, str):
        return compare(a, b)
    if isinstance(a, list) and isinstance(b, list):
        for x, y in zip(a, b, strict=False):
            if not equal(x, y):
                return ordered(x, y, symbol)
        return compare(len(a), len(b))
    return False


def ordered_sql(x: Sql, constant: Json, symbol: str) -> Sql:
    """Whether the jsonb `x` stands in that order to the constant; never NULL."""
    if is_number(constant):
        cases = {
            "number": sql(f"{{}} {symbol} {{}}", x, jsonb(_plain_number(constant))),
            "boolean": any_of([equal_exactly(x, b) for b in (True, False) if ordered(b, constant, symbol)]),
        }
        return by_kind(x, cases, FALSE)
    if isinstance(constant, str):
        return by_kind(x, {"string": sql(f"{{}} {symbol} {{}}", string_of(x), text(constant))}, FALSE)
    if isinstance(constant, list):
        return by_kind(x, {"array": _list_ordered(x, constant, 0, symbol)}, FALSE)
    return FALSE


def _plain_number(constant: Json) -> Json:
    return int(constant) if isinstance(constant, bool) else constant


def equal_exactly(x: Sql, constant: Json) -> Sql:
    """jsonb equality, without Python's twins."""
    return sql("{} = {}", x, jsonb(constant))


def _list_ordered(x: Sql, constant: list[Json], start: int, symbol: str) -> Sql:
    """The members from `start` on: the first unequal pair decides, otherwise the lengths."""
    by_length = sql(f"jsonb_array_length({{}}) {symbol} {{}}", x, integer(len(constant)))
    if start == len(constant):
        return by_length
    member = sql(f"({{}} -> {start})", x)
    return sql(
        f"case when jsonb_array_length({{}}) <= {start} then {{}} when {{}} then {{}} else {{}} end",
        x,
        by_length,
        equal_sql(member, constant[start]),
        _list_ordered(x, constant, start + 1, symbol),
        ordered_sql(member, constant[start], symbol),
    )


def _operator(symbol: str, when_true: str, when_false: str) -> Operator:
    def evaluate(left: JsonOrMissing, right: JsonOrMissing) -> bool:
        return ordered(left, right, symbol)

    def to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        if isinstance(right.constant, NotConstant):
            raise TypeError("an order is compared with a constant")
        constant = known(right.constant)
        return Truth(once(left, scope, lambda x: ordered_sql(x, constant, symbol)))

    return Operator(evaluate, to_sql, (when_true, when_false))


def _mod(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    value = known(left)
    return is_number(value) and exact(value) % exact(known(right)) != 0


def _mod_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    constant = known(right.constant)  # type: ignore[arg-type]
    divisor = number(constant)  # type: ignore[arg-type]

    def build(x: Sql) -> Sql:
        of_number = sql("mod(({} #>> array[]::text[])::numeric, {}) <> 0", x, divisor)
        true = FALSE if abs(constant) == 1 else equal_exactly(x, True)  # type: ignore[arg-type]
        return by_kind(x, {"number": of_number, "boolean": true}, FALSE)

    return Truth(once(left, scope, build))


OPERATORS = {
    "mod": Operator(_mod, _mod_sql, ("must be a multiple of {}", "must not be a multiple of {}")),
    "less": _operator("<", "must be {} or more", "must be less than {}"),
    "less-or-equal": _operator("<=", "must be more than {}", "must be {} or less"),
    "greater": _operator(">", "must be {} or less", "must be more than {}"),
    "greater-or-equal": _operator(">=", "must be less than {}", "must be {} or more"),
}
