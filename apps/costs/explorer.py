"""What the explorer shows: a stretch of days, grouped and filtered, out of the rollups; every number exact."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.db.models import Case, DateField, F, Max, QuerySet, Sum, When
from django.db.models.functions import Cast, TruncMonth, TruncWeek

from apps.core.db.plain import plain_rows
from apps.core.errors import InvalidInput

from .models import CostPeriod, CostRollup, CostSettings, CostTagRollup
from .services.settings import cost_settings

GROUPS = ("service", "account", "region", "provider", "category")
FILTERS = ("service", "account", "region", "provider", "category")
GRAINS = ("day", "week", "month")
METRICS = ("billed", "effective")
COMPARISONS = ("previous", "year")
SHOWN_GROUPS = 10
DEFAULT_DAYS = 30
MAX_DAYS = 1_100
OTHER, NOTHING = "Everything else", "(none)"
_MONTHS = TruncMonth("day")
_WEEKS = TruncWeek("day")


@dataclass(frozen=True)
class Question:
    """What is asked for. `group` is one of GROUPS or `tag:<key>`; `filters` maps one of FILTERS or `tag:<key>` to
    the values let through. `end` is the last day, included."""

    start: dt.date
    end: dt.date
    group: str = "service"
    grain: str = "day"
    metric: str = "billed"
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    compare: str = ""
    currency: str = ""

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    def earlier(self) -> Question | None:
        """The same question of the days to compare with."""
        shifts = {"previous": self.days, "year": 364}  # a year of the same weekdays
        if self.compare in shifts:
            shift = dt.timedelta(days=shifts[self.compare])
            return replace(self, start=self.start - shift, end=self.end - shift, compare="")
        return None


@dataclass(frozen=True)
class Line:
    """A group: its amounts by bucket in the answer's order, their sum, and the sum of the days compared with."""

    name: str
    amounts: list[Decimal]
    total: Decimal
    before: Decimal | None = None

    @property
    def change(self) -> Decimal | None:
        return None if self.before is None else self.total - self.before

    @property
    def percent(self) -> int | None:
        return int(100 * (self.total - self.before) / self.before) if self.before else None


@dataclass(frozen=True)
class Answer:
    """`lines` are the dearest groups and, where there are more, one of the rest; `totals` are by bucket."""

    buckets: list[dt.date]
    lines: list[Line]
    totals: list[Decimal]
    total: Decimal
    before: Decimal | None
    currency: str
    others: dict[str, Decimal]

    @property
    def percent(self) -> int | None:
        return int(100 * (self.total - self.before) / self.before) if self.before else None


def question_of(params: Mapping[str, Sequence[str]]) -> Question:
    """The question that a URL's parameters ask. Raises InvalidInput naming the parameter."""
    known = {"from", "to", "group", "grain", "metric", "compare", "currency", "tag", *FILTERS}
    for name in params:
        if name not in known:
            raise InvalidInput(f"There is no parameter {name!r}.", field=name)

    def one(name: str) -> str:
        values = [v for v in params.get(name, ()) if v]
        return values[-1] if values else ""

    settings = cost_settings()
    group = one("group") or "service"
    end = _day("to", one("to")) or _last_day(settings)
    start = _day("from", one("from")) or end - dt.timedelta(days=DEFAULT_DAYS - 1)
    if start > end:
        raise InvalidInput("The first day lies behind the last one.", field="from")
    if (end - start).days >= MAX_DAYS:
        raise InvalidInput(f"At most {MAX_DAYS:,} days at once.", field="from")
    question = Question(
        start=start,
        end=end,
        group=group,
        grain=_of("grain", one("grain") or "day", GRAINS),
        metric=_of("metric", one("metric") or "billed", METRICS),
        filters=_filters(params),
        compare=_of("compare", one("compare"), ("", *COMPARISONS)),
        currency=one("currency") or settings.currency,
    )
    _check_group(question, list(settings.tag_keys or []))
    return question


def _of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise InvalidInput(f"{name} is one of {', '.join(a for a in allowed if a)}.", field=name)
    return value


def _day(name: str, value: str) -> dt.date | None:
    if not value:
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise InvalidInput("A day is written YYYY-MM-DD.", field=name) from error


def _filters(params: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found = {name: [v for v in params.get(name, ()) if v] for name in FILTERS}
    filters = {
        name: [("" if v == NOTHING else v) for v in values] for name, values in found.items() if values
    }
    for text in params.get("tag", ()):
        if not text:
            continue
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise InvalidInput("Write a tag as key=value; key= for what lacks it.", field="tag")
        filters.setdefault(f"tag:{key}", []).append(value)
    return filters


def _check_group(question: Question, keys: Sequence[str]) -> None:
    tags = {name[4:] for name in (question.group, *question.filters) if name.startswith("tag:")}
    if not question.group.startswith("tag:") and question.group not in GROUPS:
        raise InvalidInput(f"group is one of {', '.join(GROUPS)} or tag:<key>.", field="group")
    if len(tags) > 1:
        raise InvalidInput("One tag key at a time: what two keys share is not rolled up.", field="tag")
    for key in tags - set(keys):
        raise InvalidInput(
            f"The tag key {key!r} is not rolled up; there are {', '.join(keys) or 'none yet'}.", field="tag"
        )
    besides = {"region", "provider"} & {question.group, *question.filters}
    if tags and besides:
        raise InvalidInput(f"A tag goes with services and accounts, not with {besides.pop()}.", field="tag")


def _last_day(settings: CostSettings) -> dt.date:
    rows = CostRollup.objects.filter(currency=settings.currency)
    last: dt.date | None = rows.aggregate(last=Max("day"))["last"]
    return last or dt.datetime.now(dt.UTC).date()


def ask(question: Question, shown: int = SHOWN_GROUPS) -> Answer:
    """The dearest `shown` groups over the buckets, and all the rest as one."""
    buckets = list(_buckets(question))
    amounts, before = _amounts(question, buckets[0])
    sums = {name: sum(days.values(), Decimal(0)) for name, days in amounts.items()}
    names = sorted({*sums, *(before or {})}, key=lambda n: (-sums.get(n, Decimal(0)), n))
    lines = [_line(name, [name], amounts, buckets, before) for name in names[:shown]]
    if rest := names[shown:]:
        lines.append(_line(OTHER, rest, amounts, buckets, before))
    totals = [sum((line.amounts[n] for line in lines), Decimal(0)) for n in range(len(buckets))]
    return Answer(
        buckets=buckets,
        lines=lines,
        totals=totals,
        total=sum(totals, Decimal(0)),
        before=None if before is None else sum(before.values(), Decimal(0)),
        currency=question.currency,
        others=_other_currencies(question),
    )


_Amounts = dict[str, dict[dt.date, Decimal]]


def _amounts(question: Question, first: dt.date) -> tuple[_Amounts, dict[str, Decimal] | None]:
    """Group → bucket → amount, and group → sum of the days to compare with, None where nothing is compared.

    A week or month that began before the question begins with it. Days that lie right before the question's are read
    with them, as a bucket of none.
    """
    earlier = question.earlier()
    together = earlier is not None and earlier.end + dt.timedelta(days=1) == question.start
    asked = replace(question, start=earlier.start) if earlier is not None and together else question
    bucket: Any = Cast(_bucket(question), DateField())
    if together:
        bucket = Case(When(day__gte=question.start, then=bucket))
    amounts: _Amounts = defaultdict(dict)
    before: dict[str, Decimal] = {}
    for name, day, amount in plain_rows(_totals(asked, bucket)):
        if day is None:
            before[name] = amount
        else:
            amounts[name][day if day > first else first] = amount
    if earlier is not None and not together:
        before = dict(plain_rows(rows_of(earlier).values_list("name").annotate(total=Sum(earlier.metric))))
    return dict(amounts), None if earlier is None else before


def _line(
    label: str,
    names: Sequence[str],
    amounts: Mapping[str, Mapping[dt.date, Decimal]],
    buckets: Sequence[dt.date],
    before: Mapping[str, Decimal] | None,
) -> Line:
    nothing = Decimal(0)
    days = [amounts[name] for name in names if name in amounts]
    row = (
        [days[0].get(b, nothing) for b in buckets]
        if len(days) == 1
        else [sum((of_one[b] for of_one in days if b in of_one), nothing) for b in buckets]
    )
    earlier = None if before is None else sum((before.get(n, Decimal(0)) for n in names), Decimal(0))
    return Line(label or NOTHING, row, sum(row, Decimal(0)), earlier)


def _buckets(question: Question) -> Iterator[dt.date]:
    """The first day of each bucket; the first bucket begins where the question does."""
    day = question.start
    while day <= question.end:
        yield day
        if question.grain == "day":
            day += dt.timedelta(days=1)
        elif question.grain == "week":
            day += dt.timedelta(days=7 - day.weekday())
        else:
            day = dt.date(day.year + day.month // 12, day.month % 12 + 1, 1)


def rows_of(question: Question) -> QuerySet[Any]:
    """The rollup's rows that the question lets through, its group as `name`."""
    tag = next((n[4:] for n in (question.group, *question.filters) if n.startswith("tag:")), None)
    rows: QuerySet[Any]
    if tag is None:
        rows = CostRollup.objects.all()
    else:
        rows = CostTagRollup.objects.filter(key=tag)
    rows = rows.filter(day__gte=question.start, day__lte=question.end, currency=question.currency)
    for name, values in question.filters.items():
        column = "value" if name.startswith("tag:") else name
        rows = rows.filter(**{f"{column}__in": list(values)})
    named: QuerySet[Any] = rows.annotate(
        name=F("value" if question.group.startswith("tag:") else question.group)
    )
    return named


def totals_by(question: Question) -> QuerySet[Any]:
    """(group, bucket, amount), by bucket and then group: what the export holds, whole."""
    return _totals(question, _bucket(question)).order_by("bucket", "name")


def _totals(question: Question, bucket: Any) -> QuerySet[Any]:
    rows = rows_of(question).annotate(bucket=bucket)
    totals: QuerySet[Any] = rows.values_list("name", "bucket").annotate(total=Sum(question.metric)).order_by()
    return totals


def _bucket(question: Question) -> Any:
    return {"day": F("day"), "week": _WEEKS, "month": _MONTHS}[question.grain]


def _other_currencies(question: Question) -> dict[str, Decimal]:
    """What was billed on the same days in other currencies, which the series leave out.

    The few billing periods tell whether there is any other: only then are the days read once more.
    """
    totals = CostPeriod.objects.values_list("totals", flat=True)
    if not {currency for period in totals for currency in period} - {question.currency}:
        return {}
    rows = CostRollup.objects.filter(day__gte=question.start, day__lte=question.end)
    rows = rows.exclude(currency=question.currency)
    return dict(rows.values_list("currency").annotate(total=Sum(question.metric)).order_by("currency"))


def choices(question: Question) -> dict[str, list[str]]:
    """What there is to filter by on these days: up to 200 values of each, the dearest first."""
    rows = CostRollup.objects.filter(
        day__gte=question.start, day__lte=question.end, currency=question.currency
    )
    found: dict[str, list[str]] = {}
    for name in ("service", "account", "region", "provider", "category"):
        values = rows.values_list(name).annotate(total=Sum("billed")).order_by("-total", name)[:200]
        found[name] = [value or NOTHING for value, _ in values]
    return found
