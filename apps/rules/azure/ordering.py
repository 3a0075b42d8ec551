"""less, greater and their kin: numbers with numbers, texts with texts (as instants where both are dates).

Source: Microsoft Learn, policy rule, Conditions: "if the type of the property doesn't match the condition
type, an error is thrown". Missing is the empty text, so comparing it with a number is an error as well.
"""

from __future__ import annotations

import operator as python
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.rules.azure.texts import fold, fold_sql, text_of, text_sql
from apps.rules.dialect import Operator, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, TRUE, Sql, any_of, sql, text
from apps.rules.sql.values import NotConstant, SqlValue, Truth
from apps.rules.tree import MISSING, JsonOrMissing

INSTANT = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?$"
)
"""An ISO 8601 date or time, as far as Azure writes them. Without an offset it is UTC."""

_INSTANT = re.compile(INSTANT.replace("$", r"\Z"))


def instant(value: str) -> datetime | None:
    """The point in time a text stands for, to the microsecond (later digits are cut off); None if it stands
    for none."""
    if not _INSTANT.match(value):
        return None
    try:
        parsed = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", value))
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed


def instant_sql(value: SqlValue, scope: SqlScope) -> Sql:
    """`instant` in SQL: timestamptz, NULL where the text stands for no point in time."""
    written = text_sql(value)
    cut = sql("regexp_replace({}, {}, {})", written, text(r"(\.[0-9]{6})[0-9]+"), text(r"\1"))
    zoned = sql("{} || case when {} ~ {} then '' else 'Z' end", cut, written, text(r"T.*[Z+-]|\s.*[Z+-]"))
    day_only = sql("case when length({}) = 10 then {} || 'T00:00Z' else {} end", written, written, zoned)
    return scope.share(
        sql(
            "case when {} ~ {} and pg_input_is_valid({}, 'timestamptz') then ({})::timestamptz end",
            written,
            text(INSTANT),
            day_only,
            day_only,
        )
    )


def _numeric(value: JsonOrMissing) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[JsonOrMissing, JsonOrMissing], bool]:
    def evaluate(left: JsonOrMissing, right: JsonOrMissing) -> bool:
        if _numeric(left) and _numeric(right):
            return compare(_exact(left), _exact(right))
        texts = [_text_or_none(left), _text_or_none(right)]
        if texts[0] is None or texts[1] is None:
            raise EvaluationError("values of different kinds cannot be ordered")
        instants = [instant(texts[0]), instant(texts[1])]
        if instants[0] is not None and instants[1] is not None:
            return compare(*instants)
        return compare(fold(texts[0]), fold(texts[1]))

    return evaluate


def _exact(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _text_or_none(value: JsonOrMissing) -> str | None:
    return text_of(value) if value is MISSING or value is None or isinstance(value, str) else None


def _ordered_sql(symbol: str) -> Callable[[SqlValue, SqlValue, SqlScope], Truth]:
    def to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        known = right.constant
        outcomes: list[Truth] = []
        if isinstance(known, NotConstant) or _numeric(known):
            outcomes.append(_numbers(left, right, symbol))
        if isinstance(known, NotConstant) or _text_or_none(known) is not None:
            outcomes.append(_texts(left, right, symbol, scope))
        return Truth(any_of([o.holds for o in outcomes]), any_of([o.false for o in outcomes]))

    return to_sql


def _numbers(left: SqlValue, right: SqlValue, symbol: str) -> Truth:
    both = [_number_sql(left), _number_sql(right)]
    compared = sql(f"{{}} {symbol} {{}}", *both)
    return Truth(sql("coalesce({}, false)", compared), sql("coalesce(not ({}), false)", compared))


def _number_sql(value: SqlValue) -> Sql:
    """The number, NULL where the value is none."""
    if value.form == "number":
        return sql("({})::numeric", value.expression)
    known = value.constant
    if not isinstance(known, NotConstant):
        return Sql("%s::numeric", (str(_exact(known)),)) if _numeric(known) else sql("null::numeric")
    json = value.json()
    return sql("(case when jsonb_typeof({}) = 'number' then ({})::numeric end)", json, json)


def _texts(left: SqlValue, right: SqlValue, symbol: str, scope: SqlScope) -> Truth:
    texts = [_is_text(left), _is_text(right)]
    folded = sql(f'{{}} {symbol} {{}} collate "C"', fold_sql(left, scope), fold_sql(right, scope))
    instants = [instant_sql(left, scope), instant_sql(right, scope)]
    known = right.constant
    compared = folded
    if isinstance(known, NotConstant) or instant(text_of(known)) is not None:
        compared = sql(f"coalesce({{}} {symbol} {{}}, {{}})", *instants, folded)
    return Truth(compared).guarded(sql("{} and {}", *texts))


def _is_text(value: SqlValue) -> Sql:
    if value.form == "text":
        return TRUE
    if value.form in ("number", "boolean"):
        return FALSE
    known = value.constant
    if not isinstance(known, NotConstant):
        return TRUE if _text_or_none(known) is not None else FALSE
    return sql("coalesce({} in ('string', 'null'), true)", value.kind())


def _ordering(
    name: str, symbol: str, compare: Callable[[Any, Any], bool], words: tuple[str, str]
) -> Operator:
    return Operator(_ordered(compare), _ordered_sql(symbol), words, positive=False)


ORDERINGS: dict[str, Operator] = {
    "less": _ordering("less", "<", python.lt, ("must be at least {}", "must be less than {}")),
    "lessOrEquals": _ordering(
        "lessOrEquals", "<=", python.le, ("must be more than {}", "must be at most {}")
    ),
    "greater": _ordering("greater", ">", python.gt, ("must be at most {}", "must be more than {}")),
    "greaterOrEquals": _ordering(
        "greaterOrEquals", ">=", python.ge, ("must be less than {}", "must be at least {}")
    ),
}
