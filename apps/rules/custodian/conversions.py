"""The value types that turn a value into another one before it is compared: normalize, integer, float, size,
unique_size.

Source: c7n 0.9.53 `ValueFilter.process_value_type`. Python's `int(str(v).strip())` reads "5" and " 5 " and
"1_000", but not "5.0" nor 5.0 nor true; what it cannot read is 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from apps.rules.custodian.equality import exact, known
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.custodian.membership import as_set
from apps.rules.dialect import Function, SqlScope
from apps.rules.sql.fragment import NULL_JSON, Sql, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.text import plain_text, simple_lower
from apps.rules.tree import Json, JsonOrMissing

WHITE_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
"""What `str.strip()` strips."""

INTEGER = r"^[+-]?[0-9]+(_[0-9]+)*$"
FLOAT = r"^[+-]?([0-9]+(_[0-9]+)*\.?([0-9]+(_[0-9]+)*)?|\.[0-9]+(_[0-9]+)*)([eE][+-]?0*([0-9]{1,2}|[12][0-9]{2}))?$"
"""Numbers that Python's float() reads, but for infinities, NaN and exponents of 300 and more."""

LONGEST_NUMBER = 4300
"""Digits: Python reads no longer integer from a text."""


def _stripped(value: Json) -> str:
    written = plain_text(value)
    return "" if written is None else written.strip()


def _normalize(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    value = args[0]
    return simple_lower(value.strip()) if isinstance(value, str) else value


def _integer(args: Sequence[JsonOrMissing]) -> Json:
    written = _stripped(known(args[0]))
    return int(written) if _readable(written, INTEGER) else 0


def _float(args: Sequence[JsonOrMissing]) -> Json:
    written = _stripped(known(args[0]))
    return Decimal(written.replace("_", "")) if _readable(written, FLOAT) else 0


def _readable(written: str, pattern: str) -> bool:
    return len(written) <= LONGEST_NUMBER and re.search(pattern.replace("$", r"\Z"), written) is not None


def _size(args: Sequence[JsonOrMissing]) -> Json:
    value = args[0]
    return len(value) if isinstance(value, (str, list, dict)) else 0


def _unique_size(args: Sequence[JsonOrMissing]) -> Json:
    members = as_set(args[0])
    if members is None:
        return 0
    return len({exact(m) if isinstance(m, (bool, int, float, Decimal)) else m for m in members})


def _stripped_sql(written: Sql) -> Sql:
    return sql("btrim({}, {})", written, text(WHITE_SPACE))


def _normalize_sql(x: Sql) -> Sql:
    lowered = sql('to_jsonb(lower({} collate "pg_c_utf8"))', _stripped_sql(string_of(x)))
    return by_kind(x, {"string": lowered}, x)


def _number_sql(pattern: str) -> Callable[[Sql], Sql]:
    def build(x: Sql) -> Sql:
        written = _stripped_sql(string_of(x))
        read = sql(
            "case when length({}) <= {} and {} ~ {} then to_jsonb(replace({}, '_', '')::numeric) else to_jsonb(0) end",
            written,
            Sql("%s::integer", (LONGEST_NUMBER,)),
            written,
            text(pattern),
            written,
        )
        return by_kind(x, {"string": read, "number": read}, sql("to_jsonb(0)"))

    return build


def _keys_counted(x: Sql) -> Sql:
    return sql("(select count(*) from jsonb_object_keys({}))", x)


def _size_sql(x: Sql) -> Sql:
    cases = {
        "string": sql("char_length({})", string_of(x)),
        "array": sql("jsonb_array_length({})", x),
        "object": _keys_counted(x),
    }
    return sql("to_jsonb({})", by_kind(x, cases, sql("0")))


def _unique_size_sql(x: Sql) -> Sql:
    letters = sql("(select count(distinct c) from string_to_table({}, null) c)", string_of(x))
    member = (
        "case m.value when 'true'::jsonb then '1'::jsonb when 'false'::jsonb then '0'::jsonb else m.value end"
    )
    members = sql(
        "(select case when bool_or(jsonb_typeof(m.value) in ('array', 'object')) then 0"
        f" else count(distinct {member}) end from jsonb_array_elements({{}}) m)",
        x,
    )
    cases = {"string": letters, "array": members, "object": _keys_counted(x)}
    return sql("to_jsonb({})", by_kind(x, cases, sql("0")))


def conversion(
    evaluate: Callable[[Sequence[JsonOrMissing]], JsonOrMissing], build: Callable[[Sql], Sql]
) -> Function:
    """A function of one value that cannot fail; `build` makes a jsonb of a jsonb."""

    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        return SqlValue("json", once(args[0], scope, build))

    return Function(evaluate, to_sql)


FUNCTIONS = {
    "normalize": conversion(_normalize, _normalize_sql),
    "integer": conversion(_integer, _number_sql(INTEGER)),
    "float": conversion(_float, _number_sql(FLOAT)),
    "size": conversion(_size, _size_sql),
    "unique-size": conversion(_unique_size, _unique_size_sql),
}

NOTHING = SqlValue("json", NULL_JSON)
