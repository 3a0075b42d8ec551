"""What template functions share: the kinds of their arguments, numbers exactly, when two values are the same."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, TRUE, Sql, all_of, sql, texts
from apps.rules.sql.values import SqlValue
from apps.rules.tree import MISSING, Json, JsonOrMissing

Args = Sequence[JsonOrMissing]


def fail(why: str) -> EvaluationError:
    """The error of a function; raise it."""
    return EvaluationError(why)


def given(value: JsonOrMissing) -> Json:
    """A value with null in place of nothing."""
    return None if value is MISSING else value


def is_kind(value: SqlValue, *wanted: str) -> Sql:
    """Whether a value is of one of the kinds; never NULL."""
    if value.form != "json":
        natural = {"text": "string", "number": "number", "boolean": "boolean"}[value.form]
        return sql("({} is not null)", value.expression) if natural in wanted else FALSE
    return sql("coalesce({} = any({}), false)", value.kind(), texts(wanted))


def as_text(value: JsonOrMissing, what: str) -> str:
    """A text as it is; any other value is an error of the function `what`."""
    if not isinstance(value, str):
        raise fail(f"{what} needs a text")
    return value


def as_whole(value: JsonOrMissing) -> int:
    """A number without a fraction; any other value is an error."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float) or value != int(value):
        raise fail("a whole number is expected")
    return int(value)


def same(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    """Whether two JSON values are the same: as jsonb's `=`; numbers by value, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float) or isinstance(right, float):
        return as_decimal(left) == as_decimal(right)
    return (type(left) is type(right) and left == right) or (
        as_decimal(left) is not None and as_decimal(left) == as_decimal(right)
    )


def as_decimal(value: JsonOrMissing) -> Decimal | None:
    """A number exactly, None of what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def whole_sql(value: SqlValue) -> tuple[Sql, Sql]:
    """`as_whole` in SQL: the number, and whether it is one."""
    if value.form == "number":
        return sql("({})::numeric", value.expression), TRUE
    json = value.json()
    number = sql("(case when jsonb_typeof({}) = 'number' then ({})::numeric else 0 end)", json, json)
    whole = sql("{} = trunc({})", number, number)
    return number, all_of([is_kind(value, "number"), whole])
