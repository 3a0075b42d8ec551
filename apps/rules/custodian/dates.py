"""Points in time out of an inventory: for the value types age, expiration and date, and for age filters.

Source: c7n 0.9.53 `c7n/utils.py` `parse_date`: a text that a calendar date can be read from, or seconds (or
milliseconds) since 1970 later than 2006-03-19. c7n reads texts with dateutil, which guesses; here they are
ISO 8601 with `-` or `/`, its basic form with a time, or the form of HTTP headers. What has no zone is UTC,
as where c7n itself runs in UTC. Everything else is no date.

A date is passed on as text, `2026-01-31T00:00:00.000000Z`: of a fixed width, so that texts compare as dates
do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.dialect import Function, Operator, SqlScope
from apps.rules.sql.fragment import FALSE, Sql, all_of, any_of, number, sql, text
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.tree import MISSING, Const, Json, JsonOrMissing

_DATE = "(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}/[0-9]{2}/[0-9]{2})"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_ZONE = "(?:Z| ?UTC| ?GMT| ?[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"

ZONED = f"^{_DATE}[T ]{_TIME}{_ZONE}$"
NAIVE = f"^{_DATE}(?:[T ]{_TIME})?$"
BASIC = "^[0-9]{8}T(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$"
DIGITS = r"^[0-9]{10,15}(?:\.[0-9]{1,9})?$"

HTTP = (
    "^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?[0-3][0-9] (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    " (?:19|20)[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9] (?:GMT|UTC)$"
)
"""Forms of dates. Whether there is such a day is another question."""

EPOCH_FLOOR = 1_142_726_400
"""2006-03-19 as seconds: c7n takes no smaller number for a date."""
EPOCH_END = 253_402_300_800
"""The year 10000 as seconds: from here on a number counts milliseconds."""

_FIRST, _LAST = "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"


def written(moment: datetime) -> str:
    """A zoned datetime as it is compared."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").rjust(27, "0")


def shifted(now: datetime, *, days: float = 0, hours: float = 0, minutes: float = 0) -> Const:
    """`now` moved, kept within the years that can be written; in words, "90 days ago"."""
    label = _from_now({"day": days, "hour": hours, "minute": minutes})
    try:
        return Const(written(now + timedelta(days=days, hours=hours, minutes=minutes)), label)
    except OverflowError:
        return Const(_LAST if days > 0 else _FIRST, label)


def _from_now(spans: dict[str, float]) -> str:
    told = [f"{abs(n):g} {unit}{'' if abs(n) == 1 else 's'}" for unit, n in spans.items() if n]
    if not told:
        return "now"
    signs = {n > 0 for n in spans.values() if n}
    if len(signs) == 2:
        return "now " + " ".join(f"{n:+g} {unit}s" for unit, n in spans.items() if n)
    return f"{' '.join(told)} {'from now' if signs == {True} else 'ago'}"


def read_date(value: JsonOrMissing) -> str | None:
    """The date a JSON value stands for, in the form of this module; None where it is none."""
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return _read_epoch(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    return None


def _read_text(value: str) -> str | None:
    if _fits(DIGITS, value):
        return _read_epoch(Decimal(value))
    try:
        moment = _moment(value)
        return None if moment is None else written(moment)
    except (ValueError, OverflowError):  # no such day, or outside the years 1 to 9999 in UTC
        return None


def _moment(value: str) -> datetime | None:
    if _fits(ZONED, value) or _fits(NAIVE, value):
        return _iso(value)
    if _fits(BASIC, value):
        return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if _fits(HTTP, value):
        plain = value.split(", ")[-1].rsplit(" ", 1)[0]
        return datetime.strptime(plain, "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    return None


def _fits(pattern: str, value: str) -> bool:
    return re.match(pattern[:-1] + r"\Z", value) is not None


def _iso(value: str) -> datetime:
    plain = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", value.replace("/", "-"))
    plain = re.sub(r"\.([0-9]+)", lambda found: "." + found[1].ljust(6, "0"), plain)
    plain = re.sub(r" ?(Z|UTC|GMT)$", "+00:00", plain)
    plain = re.sub(r" ?([+-][0-9]{2}):?([0-9]{2})?$", _offset, plain) if ":" in plain else plain
    moment = datetime.fromisoformat(plain)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _offset(found: re.Match[str]) -> str:
    return f"{found[1]}:{found[2] or '00'}"


def _read_epoch(value: Decimal) -> str | None:
    if not EPOCH_FLOOR < value < EPOCH_END * 1000:
        return None
    seconds = value if value < EPOCH_END else value / 1000
    micros = int((seconds * 1_000_000).to_integral_value(ROUND_HALF_EVEN))
    return written(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros))


# --- SQL ------------------------------------------------------------------------------------------------------


class Dated(SqlValue):
    """A date that is still a timestamptz (NULL where it is none); written only where its text is asked for."""

    def __init__(self, moment: Sql) -> None:
        super().__init__("json", dated(moment))
        self.moment = moment


def _date_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return Dated(once(args[0], scope, _moment_of))


def _moment_of(x: Sql) -> Sql:
    return by_kind(x, {"string": text_moment(string_of(x)), "number": _number_moment(x)}, _NO_MOMENT)


_NO_MOMENT = Sql("null::timestamptz")


def dated(moment: Sql) -> Sql:
    """A timestamptz (or NULL) as a jsonb string in the form of this module."""
    return sql(
        "(select case when m.at between '0001-01-01 00:00:00+00'::timestamptz"
        " and '9999-12-31 23:59:59.999999+00'::timestamptz then"
        " to_jsonb(to_char(m.at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')) end"
        " from (select {} as at offset 0) m)",
        moment,
    )


def text_moment(written_date: Sql) -> Sql:
    """A text as timestamptz, NULL where it is no date. Every cast is guarded by the form of the text, and by
    PostgreSQL's own word that there is such a day."""
    cut = sql(
        "case when strpos({}, '.') > 0 then regexp_replace({}, {}, {}) else {} end",
        written_date,
        written_date,
        text(r"(\.[0-9]{6})[0-9]+"),
        text(r"\1"),
        written_date,
    )
    return sql(
        "case when {} or {} ~ {} then case when pg_input_is_valid({}, 'timestamptz') then ({})::timestamptz end"
        " when {} ~ {} then"
        " case when pg_input_is_valid({}, 'timestamp') then ({})::timestamp at time zone 'UTC' end"
        " when {} ~ {} then {}"
        " when {} ~ {} then case when pg_input_is_valid({}, 'timestamptz') then {}::timestamptz end end",
        *(_usual(written_date), written_date, text(ZONED), written_date, cut),
        *(written_date, text(NAIVE), written_date, cut),
        *(written_date, text(DIGITS), _epoch_moment(sql("{}::numeric", written_date))),
        *(written_date, text(f"{BASIC}|{HTTP}"), written_date, written_date),
    )


def _usual(written_date: Sql) -> Sql:
    """Whether a text has the form that nearly all dates of inventories have, 20yy-mm-ddThh:mm:ss in UTC, and with it
    that of `ZONED`, which takes many times as long to say; of an hour or minute that there is not, PostgreSQL tells.

    That all the rest are digits is said by this, that between two of the other characters there are two at least.
    """
    tests = [sql("{} !~ {}", written_date, text("[^0-9].?[^0-9]"))]
    # A day may end with 24:00:00, and a minute with a second 60, to PostgreSQL.
    tests += [sql("{} not like {}", written_date, text(each)) for each in ("%T24%", "%:60%")]
    whole = any_of([sql("{} like {}", written_date, text(f"{_START}{zone}")) for zone in ("Z", "+00:00")])
    fraction = sql("{} ~ {}", written_date, text(r"^.{19}[.][0-9]{1,9}(?:Z|[+]00:00)$"))
    started = sql("{} like {}", written_date, text(f"{_START}.%"))
    return all_of([any_of([whole, all_of([started, fraction])]), *tests])


_START = "20__-__-__T__:__:__"


def _number_moment(x: Sql) -> Sql:
    return _epoch_moment(sql("({} #>> array[]::text[])::numeric", x))


def _epoch_moment(value: Sql) -> Sql:
    second = "'1970-01-01 00:00:00+00'::timestamptz + make_interval(secs => ({})::double precision)"
    return sql(
        f"(select case when n.v <= {{}} or n.v >= {{}} then null when n.v < {{}} then {second.format('n.v')}"
        f" else {second.format('n.v / 1000')} end from (select {{}} as v offset 0) n)",
        number(EPOCH_FLOOR),
        number(EPOCH_END * 1000),
        number(EPOCH_END),
        value,
    )


def _compared(symbol: str, demands: tuple[str, str], *, when_no_date: bool = False) -> Operator:
    """A date (text or MISSING) against a constant date."""

    def evaluate(left: JsonOrMissing, right: JsonOrMissing) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            return when_no_date
        return _HOLDS[symbol](left, right)

    def to_sql(left: SqlValue, right: SqlValue, _: SqlScope) -> Truth:
        if isinstance(left, Dated) and isinstance(right.constant, str):
            return Truth(_compared_moment(left.moment, symbol, right.constant, when_no_date=when_no_date))
        compared = sql(f'({{}}) collate "C" {symbol} {{}}', left.text(), right.text())
        return Truth(sql(f"coalesce({{}}, {'true' if when_no_date else 'false'})", compared))

    return Operator(evaluate, to_sql, demands)


def _compared_moment(moment: Sql, symbol: str, date: str, *, when_no_date: bool) -> Sql:
    """The same without writing the date: whether it lies in the time that the comparison leaves. Years beyond 1 to 9999
    are no dates, hence ranges with two ends; by `<@`, since BETWEEN would read the date twice."""
    first, last = {
        "<": (_FIRST, _beside(date, -1)),
        "<=": (_FIRST, date),
        ">": (_beside(date, 1), _LAST),
        ">=": (date, _LAST),
    }.get(symbol, (date, date))
    if first is None or last is None:
        return FALSE
    lies = sql("{} <@ {}", moment, Sql("%s::tstzrange", (f"[{first},{last}]",)))
    return sql("coalesce(not ({}), true)" if when_no_date else "coalesce({}, false)", lies)


def _beside(date: str, microseconds: int) -> str | None:
    """The moment before or after; None where there is none that can be written."""
    try:
        return written(datetime.fromisoformat(date) + timedelta(microseconds=microseconds))
    except OverflowError:
        return None


_HOLDS: dict[str, Callable[[str, str], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}

OPERATORS = {
    "before": _compared("<", ("must not be before {}", "must be before {}")),
    "not-after": _compared("<=", ("must be after {}", "must not be after {}")),
    "after": _compared(">", ("must not be after {}", "must be after {}")),
    "not-before": _compared(">=", ("must be before {}", "must not be before {}")),
    "at": _compared("=", ("must not be {}", "must be {}")),
    "not-at": _compared("<>", ("must be {}", "must not be {}"), when_no_date=True),
}


def _date(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    found: Json = read_date(args[0])
    return MISSING if found is None else found


FUNCTIONS = {"date": Function(_date, _date_sql)}
