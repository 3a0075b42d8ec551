"""Where a daily series is going: weekday factors, a robust level and a damped robust trend, with a band.

The level and the factors are medians, the trend is Theil and Sen's median of slopes over weeks, damped so that
a fortnight's growth is not carried on for a quarter (Gardner and McKenzie, 1985). The band is empirical: the
same method is run from earlier days whose outcome is known, and the spread of its errors over the same number
of days is the band. What a month will cost is a sum, so errors are measured on sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .scoring import ZERO, median

SEASON = 7
LEVEL_DAYS = 28
TREND_WEEKS = 8
DAMPING = Decimal("0.97")
LEAST_DAYS = 14
BACKTESTS = 16
# The band holds eight outcomes in ten; the quantile of the errors is taken one rank higher than they alone
# would ask for, as conformal prediction does, for few errors say little about the next one.
COVERAGE = Decimal("0.8")
# Without a past to measure errors on, the band is this share each way.
UNTRIED_SHARE = Decimal("0.25")


@dataclass(frozen=True)
class Forecast:
    """Each coming day's expected amount, and the sum over all of them with its band of 80 %.

    `tried` counts the earlier days from which the method was run against what then came; where it is 0 the
    band is a plain quarter each way.
    """

    days: tuple[Decimal, ...]
    total: Decimal
    low: Decimal
    high: Decimal
    tried: int


def forecast(series: Sequence[Decimal], horizon: int) -> Forecast | None:
    """The next `horizon` days of a series with one value a day; None where there are fewer than 14 days."""
    if len(series) < LEAST_DAYS or horizon < 1:
        return None
    days = _project(series, horizon)
    total = sum(days, ZERO)
    errors = _past_errors(series, horizon)
    if len(errors) < 4:
        spread = UNTRIED_SHARE * abs(total)
        return Forecast(tuple(days), total, total - spread, total + spread, 0)
    spread = _spread(errors) * abs(total)
    return Forecast(tuple(days), total, total - spread, total + spread, len(errors))


def _project(series: Sequence[Decimal], horizon: int) -> list[Decimal]:
    factors = _weekday_factors(series)
    recent = series[-LEVEL_DAYS:]
    offset = len(series) - len(recent)
    plain = [_without(value, factors[(offset + n) % SEASON]) for n, value in enumerate(recent)]
    slope = _weekly_slope(series) / SEASON
    # The median stands for the middle of the days that it is of.
    level = median(plain[-2 * SEASON :]) + slope * SEASON
    days: list[Decimal] = []
    grown, damped = ZERO, Decimal(1)
    for ahead in range(horizon):
        damped *= DAMPING
        grown += slope * damped
        expected = (level + grown) * factors[(len(series) + ahead) % SEASON]
        days.append(max(expected, ZERO) if level >= 0 else expected)
    return days


def _weekday_factors(series: Sequence[Decimal]) -> list[Decimal]:
    """By place in the week (the series' own): the usual ratio of a day to its week's mean."""
    weeks = min(len(series) // SEASON, TREND_WEEKS)
    start = len(series) - weeks * SEASON
    ratios: list[list[Decimal]] = [[] for _ in range(SEASON)]
    for week in range(weeks):
        days = series[start + week * SEASON : start + (week + 1) * SEASON]
        mean = sum(days, ZERO) / SEASON
        if mean > 0:
            for n, value in enumerate(days):
                ratios[(start + week * SEASON + n) % SEASON].append(value / mean)
    return [median(found) if found else Decimal(1) for found in ratios]


def _without(value: Decimal, factor: Decimal) -> Decimal:
    return value / factor if factor > 0 else value


def _weekly_slope(series: Sequence[Decimal]) -> Decimal:
    """The median of all slopes between weekly sums, per week, of a day's amount."""
    weeks = min(len(series) // SEASON, TREND_WEEKS)
    if weeks < 4:
        return ZERO
    start = len(series) - weeks * SEASON
    means = [sum(series[start + w * SEASON : start + (w + 1) * SEASON], ZERO) / SEASON for w in range(weeks)]
    slopes = [(means[b] - means[a]) / (b - a) for a in range(weeks) for b in range(a + 1, weeks)]
    return median(slopes)


def _past_errors(series: Sequence[Decimal], horizon: int) -> list[Decimal]:
    """Relative errors of sums over `horizon` days, from up to BACKTESTS earlier days."""
    last = len(series) - horizon
    errors: list[Decimal] = []
    step = max(1, min(SEASON, (last - 4 * SEASON) // BACKTESTS)) if last > 4 * SEASON else 1
    for end in range(last, 4 * SEASON - 1, -step):
        expected = sum(_project(series[:end], horizon), ZERO)
        if expected > 0:
            errors.append(sum(series[end : end + horizon], ZERO) / expected - 1)
        if len(errors) >= BACKTESTS:
            break
    return errors


def _spread(errors: Sequence[Decimal]) -> Decimal:
    """How far from nothing COVERAGE of the errors stay."""
    ordered = sorted(abs(error) for error in errors)
    rank = math.ceil((len(ordered) + 1) * COVERAGE)
    return ordered[min(rank, len(ordered)) - 1]
