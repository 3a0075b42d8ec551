"""Days that stand out, joined to events: a level shift is one event and not thirty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .scoring import ZERO, Rule, Score, score_series

# Days of the same direction with at most so many quiet days between them are one event.
MAX_QUIET = 2


@dataclass(frozen=True)
class Event:
    """A run of days, by their places in the series; money summed over the days that stand out."""

    first: int
    last: int
    direction: str
    expected: Decimal
    actual: Decimal
    size: Decimal
    days: tuple[int, ...]

    @property
    def impact(self) -> Decimal:
        return self.actual - self.expected


def find_events(series: Sequence[Decimal], rule: Rule, since: int = 0) -> list[Event]:
    """The events of a series with one value a day, from the place `since` on, in their order."""
    runs: list[list[tuple[int, Score]]] = []
    open_run: dict[str, list[tuple[int, Score]]] = {}
    for at, score in score_series(series, rule):
        if at < since or not score.stands_out:
            continue
        run = open_run.get(score.direction)
        if run is None or at - run[-1][0] > MAX_QUIET + 1:
            run = open_run[score.direction] = []
            runs.append(run)
        run.append((at, score))
    return [_event(run) for run in runs]


def _event(run: list[tuple[int, Score]]) -> Event:
    scores = [score for _, score in run]
    return Event(
        first=run[0][0],
        last=run[-1][0],
        direction=scores[0].direction,
        expected=sum((s.expected for s in scores), ZERO),
        actual=sum((s.actual for s in scores), ZERO),
        size=max(s.size for s in scores),
        days=tuple(at for at, _ in run),
    )
