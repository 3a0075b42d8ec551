"""The bars of a daily series, as the numbers that an SVG takes: no script and no inline style."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT, FLOOR = 960, 400, 399
GAP = 2


@dataclass(frozen=True)
class Bar:
    """A day's bar in the chart's own units; `y` is its upper end."""

    day: dt.date
    amount: Decimal
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    top: Decimal
    first: dt.date
    last: dt.date
    width: int = WIDTH
    height: int = HEIGHT
    floor: int = FLOOR


def bar_chart(totals: Mapping[dt.date, Decimal]) -> Chart | None:
    """A bar for each day from the first to the last, also for days without a charge; None without any day.

    Days whose total is negative (credits) are drawn as nothing and stay in the table with their amount.
    """
    if not totals:
        return None
    first, last = min(totals), max(totals)
    days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    top = max(totals.values())
    step = WIDTH / len(days)
    bars = []
    for number, day in enumerate(days):
        amount = totals.get(day, Decimal(0))
        height = float(max(amount, Decimal(0)) / top) * (FLOOR - 10) if top > 0 else 0.0
        gap = GAP if step > 3 * GAP else 0
        bars.append(
            Bar(
                day,
                amount,
                round(number * step, 2),
                round(FLOOR - height, 2),
                round(step - gap, 2),
                round(height, 2),
            )
        )
    return Chart(bars, top, first, last)
