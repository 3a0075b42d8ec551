"""Template functions that compare, convert and calculate.

Source: Microsoft Learn, "Comparison functions for ARM templates" and "Numeric functions for ARM templates".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from apps.rules.azure.operands import Args, as_whole, fail, given, same, whole_sql
from apps.rules.dialect import Function, SqlScope
from apps.rules.sql.fragment import all_of, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.text import plain_text
from apps.rules.tree import Json


def equal_value(args: Args) -> Json:
    return same(given(args[0]), given(args[1]))


def equal_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    left, right = (sql("coalesce({}, 'null'::jsonb)", arg.json()) for arg in args)
    return SqlValue("boolean", sql("({} = {})", left, right))


def int_value(args: Args) -> Json:
    value = args[0]
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return as_whole(value)
    raise fail("int() needs a whole number")


def int_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    json, written = scope.share(args[0].json()), args[0].text()
    pattern = sql(
        "coalesce(jsonb_typeof({}) in ('string', 'number') and {} ~ {}, false)",
        json,
        written,
        text(r"^[+-]?[0-9]{1,18}(\.0+)?$"),
    )
    no_text_fraction = sql("not (jsonb_typeof({}) = 'string' and strpos({}, '.') > 0)", json, written)
    valid = scope.share(sql("coalesce({} and {}, false)", pattern, no_text_fraction))
    made = scope.share(sql("case when {} then ({})::numeric::bigint end", valid, written))
    return SqlValue("number", made, valid)


def text_value(args: Args) -> Json:
    return plain_text(given(args[0])) or ""


def text_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return SqlValue("text", sql("coalesce({}, '')", args[0].text()))


def arithmetic(symbol: str) -> Function:
    def evaluate(args: Args) -> Json:
        left, right = as_whole(args[0]), as_whole(args[1])
        return {"+": left + right, "-": left - right, "*": left * right}[symbol]

    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        numbers, valid = zip(*(whole_sql(arg) for arg in args), strict=True)
        return SqlValue("number", sql(f"({{}} {symbol} {{}})", *numbers), all_of(list(valid)))

    return Function(evaluate, to_sql)
