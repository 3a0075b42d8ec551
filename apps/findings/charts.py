"""Days as stacked bars, in the numbers that an SVG takes: no script and no inline style."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from .posture import STATES, Day

WIDTH, HEIGHT = 960, 220


@dataclass(frozen=True)
class Part:
    state: str
    y: float
    height: float


@dataclass(frozen=True)
class StateBar:
    day: dt.date
    x: float
    width: float
    parts: tuple[Part, ...]
    told: str


@dataclass(frozen=True)
class StateChart:
    """`days` are the same numbers, for the table below the chart; the latest first."""

    bars: list[StateBar]
    days: list[Day]
    first: dt.date
    last: dt.date
    width: int = WIDTH
    height: int = HEIGHT


def state_chart(days: Sequence[Day]) -> StateChart | None:
    """A bar for each day on which there were controls; None without any."""
    known = [day for day in days if sum(day.by_state.values())]
    if not known:
        return None
    top = max(sum(day.by_state.values()) for day in known)
    step = WIDTH / len(days)
    first = days[0].day
    bars = [_bar(day, (day.day - first).days * step, step, top) for day in known]
    return StateChart(bars, list(reversed(known)), first, days[-1].day)


def _bar(day: Day, x: float, step: float, top: int) -> StateBar:
    parts, y = [], float(HEIGHT)
    for state in reversed(STATES):  # the worst on top
        height = HEIGHT * day.by_state[state] / top
        y -= height
        parts.append(Part(state, round(y, 2), round(height, 2)))
    told = ", ".join(f"{day.by_state[state]} {state.replace('_', ' ')}" for state in STATES)
    return StateBar(day.day, round(x, 2), round(max(step - 1.5, 1), 2), tuple(parts), told)
