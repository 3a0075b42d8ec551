"""Does a day stand out of its own history? Same-weekday median and MAD.

Rousseeuw and Croux (1993): the median absolute deviation, times 1.4826 a standard deviation where the noise is
normal, holds with up to half of the history spoilt, as by an earlier anomaly. Comparing Mondays with Mondays
takes out the weekly rhythm without a model of it. Six values make a poor estimate of noise, though, and a
MAD that happens to be small calls an ordinary day strange: so a day must also stand out of how far recent days
usually are from their own weekday's median (docs/adr has what that was measured to bring).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)
NOISY = Decimal("0.7")
TO_SIGMA = Decimal("1.4826")


@dataclass(frozen=True)
class Rule:
    """When a day stands out: farther from the median than each of `k` sigmas, `floor` of it, and `least` money,
    and than `common_k` times what three of four of the last `common` days keep within.

    `seasons` are the weeks looked back at; before `cold_seasons` of history there is no same-weekday baseline,
    and a day stands out by `cold_share` against the median of the days before. `season` is 7 for days of
    weeks, 24 for hours of days.
    """

    k: Decimal = Decimal(4)
    floor: Decimal = Decimal("0.08")
    seasons: int = 6
    season: int = 7
    least: Decimal = ZERO
    common_k: Decimal = Decimal("2.4")
    common: int = 28
    cold_seasons: int = 4
    cold_share: Decimal = Decimal("0.5")
    cold_points: int = 5


@dataclass(frozen=True, slots=True)
class Score:
    """How a day compares: `expected` is the baseline's median, `size` the distance in thresholds (> 1 stands out)."""

    expected: Decimal
    actual: Decimal
    size: Decimal

    @property
    def stands_out(self) -> bool:
        return self.size > 1

    @property
    def direction(self) -> str:
        return "up" if self.actual > self.expected else "down"


def median(values: Sequence[Decimal]) -> Decimal:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def score_series(series: Sequence[Decimal], rule: Rule) -> Iterator[tuple[int, Score]]:
    """(place, score) of every day with enough history; one value a day, without gaps."""
    common = _Common(rule.common)
    for at in range(rule.cold_points, len(series)):
        expected, threshold = _baseline(series, at, rule)
        distance = abs(series[at] - expected)
        if (usual := common.usual()) is not None:
            threshold = max(threshold, rule.common_k * usual * abs(expected))
        yield at, Score(expected, series[at], _size(distance, threshold))
        if at >= rule.cold_seasons * rule.season and expected:
            # A day that stands out counts as a noisy one and no more, or a level that stays would end itself.
            common.add(min(distance, NOISY * threshold) / abs(expected))


def _baseline(series: Sequence[Decimal], at: int, rule: Rule) -> tuple[Decimal, Decimal]:
    """(what the day would usually be, how far from it is still usual by its own weekday)."""
    if at >= rule.cold_seasons * rule.season:
        first = max(at - rule.seasons * rule.season, at % rule.season)
        history = series[first : at : rule.season]
        expected = median(history)
        sigma = TO_SIGMA * median([abs(value - expected) for value in history])
        return expected, max(rule.k * sigma, rule.floor * abs(expected), rule.least)
    expected = median(series[max(0, at - rule.season) : at])
    return expected, max(rule.cold_share * abs(expected), rule.least)


def _size(distance: Decimal, threshold: Decimal) -> Decimal:
    if distance == 0:
        return ZERO
    # Out of nothing (a new service): everything beyond the least amount stands out.
    return distance / threshold if threshold else Decimal(1000)


class _Common:
    """The relative distances of the last days from their weekday's median, and their usual size."""

    def __init__(self, days: int) -> None:
        self._days, self._in_order, self._sorted = days, deque[Decimal](), list[Decimal]()

    def add(self, distance: Decimal) -> None:
        self._in_order.append(distance)
        insort(self._sorted, distance)
        if len(self._in_order) > self._days:
            del self._sorted[bisect_left(self._sorted, self._in_order.popleft())]

    def usual(self) -> Decimal | None:
        """The upper quartile; None until half of the days are there."""
        held = len(self._sorted)
        return self._sorted[held * 3 // 4] if held >= self._days // 2 else None
