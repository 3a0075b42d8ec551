"""Forecasts of the bill, out of the rollups."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Max, Min, Sum
from django.utils import timezone

from .detection import Forecast, forecast
from .models import CostRollup
from .services.budgets import period_of
from .services.settings import cost_settings

MONTHS_AHEAD = 3
HISTORY_DAYS = 400
# Providers go on writing a day's bill for about two days.
INCOMPLETE_DAYS = 2


@dataclass(frozen=True)
class Stretch:
    """From `start` up to and with `end`: what was billed of it already, and what all of it is expected to be."""

    start: dt.date
    end: dt.date
    known: Decimal
    expected: Decimal
    low: Decimal
    high: Decimal
    tried: int


@dataclass(frozen=True)
class Outlook:
    """`last_day` is the last complete day; `days` are the coming ones, one by one."""

    last_day: dt.date
    past: list[Decimal]
    days: tuple[Decimal, ...]
    month: Stretch
    quarter: Stretch
    currency: str

    @property
    def parts(self) -> list[tuple[str, Stretch]]:
        return [
            ("To the month's end", self.month),
            (f"To the end of {MONTHS_AHEAD} more months", self.quarter),
        ]


def outlook(*, service: str = "", today: dt.date | None = None) -> Outlook | None:
    """The month's end and the next three months, of everything or of one service; None with too little history."""
    today = today or timezone.now().date()
    currency = cost_settings().currency
    rows = CostRollup.objects.filter(currency=currency)
    if service:
        rows = rows.filter(service=service)
    span = rows.aggregate(first=Min("day"), last=Max("day"))
    if span["last"] is None:
        return None
    last = min(span["last"], today - dt.timedelta(days=INCOMPLETE_DAYS))
    first = max(span["first"], last - dt.timedelta(days=HISTORY_DAYS))
    daily = dict(
        rows.filter(day__gte=first, day__lte=last)
        .values_list("day")
        .annotate(total=Sum("billed"))
        .order_by("day")
    )
    past = [daily.get(first + dt.timedelta(days=n), Decimal(0)) for n in range((last - first).days + 1)]
    start, after = period_of("month", last + dt.timedelta(days=1))
    ahead = after
    for _ in range(MONTHS_AHEAD):
        ahead = period_of("month", ahead)[1]
    to_month, to_quarter = (after - last).days - 1, (ahead - last).days - 1
    month, quarter = forecast(past, to_month), forecast(past, to_quarter)
    if month is None or quarter is None:
        return None
    known = sum((v for d, v in daily.items() if d >= start), Decimal(0))
    return Outlook(
        last_day=last,
        past=past,
        days=quarter.days,
        month=_stretch(start, after, known, month),
        quarter=_stretch(last + dt.timedelta(days=1), ahead, Decimal(0), quarter),
        currency=currency,
    )


def _stretch(start: dt.date, after: dt.date, known: Decimal, found: Forecast) -> Stretch:
    return Stretch(
        start=start,
        end=after - dt.timedelta(days=1),
        known=known,
        expected=known + found.total,
        low=known + found.low,
        high=known + found.high,
        tried=found.tried,
    )
