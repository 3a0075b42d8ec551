"""Anomaly detectors beside each other: planted mishaps in daily cost series, and NAB's labelled series, resampled.

Planted: spikes, levels, drops and slow leaks in series with a weekly rhythm, growth and noise; an alarm on a clean day is a
false one. NAB (MIT): the taxi's series by day, CloudWatch's by hour with a season of 24; a run of alarms outside of every
labelled window is a false one. F1 is of windows found and alarms given; "NAB" is its standard profile: 1 for a window, -1
for a missed one, -0.11 for a false alarm. The rivals are the plain rule that FinOps teams begin with, and EWMA control limits.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

from apps.costs.detection import Rule, find_events, forecast
from benchmarks.frame import CORPORA, Bench, Row

SECONDS = 120
DAYS = 180
QUIET = 60
Series = list[float]
Flags = Callable[[Series, int], list[int]]


def ours(series: Series, season: int) -> list[int]:
    exact = [Decimal(repr(round(value, 4))) for value in series]
    rule = Rule(season=season)
    return [day for event in find_events(exact, rule) for day in event.days]


def moving_average(series: Series, season: int) -> list[int]:
    """The plain rule: 30 % away from the mean of the last seven."""
    found = []
    for at in range(7, len(series)):
        mean = sum(series[at - 7 : at]) / 7
        if mean and abs(series[at] - mean) > 0.3 * abs(mean):
            found.append(at)
    return found


def ewma(series: Series, season: int, alpha: float = 0.3, width: float = 3.0) -> list[int]:
    """Exponentially weighted mean and variance, three sigmas (Roberts 1959, MacGregor and Harris 1993)."""
    mean, variance, found = series[0], 0.0, []
    for at, value in enumerate(series[1:], 1):
        if at > season and abs(value - mean) > width * math.sqrt(variance):
            found.append(at)
        difference = value - mean
        mean += alpha * difference
        variance = (1 - alpha) * (variance + alpha * difference * difference)
    return found


DETECTORS: dict[str, Flags] = {
    "same-weekday median/MAD": ours,
    "7-day average ± 30 %": moving_average,
    "EWMA, 3 sigma": ewma,
}


def planted(seed: int, kind: str, noise: float) -> tuple[Series, range]:
    """A service's bill over DAYS days with a weekly rhythm, growth and noise, and one mishap in it."""
    rnd = random.Random(f"{seed} {kind}")
    level, weekend = 10 ** rnd.uniform(1.5, 4), rnd.uniform(0.55, 1.0)
    growth = rnd.uniform(0.9998, 1.0010)
    start = rnd.randrange(QUIET, DAYS - 40)
    span = {"spike": rnd.randint(1, 3), "drop": rnd.randint(2, 10), "level": 40, "leak": 40}[kind]
    size = {
        "spike": rnd.uniform(1.4, 3.0),
        "drop": rnd.uniform(0.2, 0.65),
        "level": rnd.uniform(1.25, 1.9),
        "leak": rnd.uniform(1.3, 1.9),
    }[kind]
    series = []
    for day in range(DAYS):
        value = level * growth**day * (weekend if day % 7 >= 5 else 1.0) * rnd.lognormvariate(0, noise)
        if start <= day < start + span:
            value *= 1 + (size - 1) * (day - start + 1) / span if kind == "leak" else size
        series.append(value)
    return series, range(start, min(start + span, DAYS))


def planted_table(per_kind: int = 40, noise: float = 0.03) -> list[tuple[str, int, int, float, float]]:
    rows = []
    kinds = ("spike", "level", "drop", "leak")
    cases = [planted(n, kind, noise) for kind in kinds for n in range(per_kind)]
    for name, flags in DETECTORS.items():
        found = false = days = 0
        began = time.perf_counter()
        for series, window in cases:
            marks = flags(series, 7)
            found += any(day in window for day in marks)
            # A level that stays is known after its window too: only days before it are clean.
            false += runs([day for day in marks if day < window.start])
            days += window.start - 28
        rows.append(
            (
                name,
                found,
                len(cases),
                100 * false / days,
                1000 * (time.perf_counter() - began) / (len(cases) * DAYS),
            )
        )
    return rows


def runs(marks: list[int]) -> int:
    return sum(1 for n, day in enumerate(marks) if n == 0 or day - marks[n - 1] > 3)


def nab() -> list[tuple[str, Series, list[range], int]]:
    """NAB's series as (name, values, labelled windows by place, season): the taxi's by day, CloudWatch's by hour."""
    windows = json.loads((CORPORA / "nab" / "labels" / "combined_windows.json").read_text())
    found = []
    for path in sorted((CORPORA / "nab" / "data").rglob("*.csv")):
        key = f"{path.parent.name}/{path.name}"
        size = dt.timedelta(days=1) if path.name == "nyc_taxi.csv" else dt.timedelta(hours=1)
        buckets: dict[int, list[float]] = {}
        with path.open() as file:
            rows = [
                (dt.datetime.fromisoformat(r["timestamp"]), float(r["value"])) for r in csv.DictReader(file)
            ]
        start = rows[0][0].replace(minute=0, second=0)
        for at, value in rows:
            buckets.setdefault(int((at - start) / size), []).append(value)
        series, last = [], 0.0
        for n in range(max(buckets)):
            last = sum(buckets[n]) / len(buckets[n]) if n in buckets else last
            series.append(last)
        labels = [
            range(
                *(
                    int((dt.datetime.fromisoformat(edge) - start) / size) + plus
                    for edge, plus in ((a, 0), (b, 1))
                )
            )
            for a, b in windows.get(key, [])
        ]
        found.append((path.name, series, labels, 7 if size.days else 24))
    return found


def nab_table() -> list[tuple[str, int, int, float, float, float]]:
    """(detector, windows found, windows, false alarms per 100 points, F1 of windows and alarms, NAB's score)."""
    rows = []
    cases = nab()
    for name, flags in DETECTORS.items():
        found = windows = alarms = false = points = 0
        for _, series, labels, season in cases:
            marks = flags(series, season)
            windows += len(labels)
            points += len(series)
            found += sum(any(at in window for at in marks) for window in labels)
            outside = [at for at in marks if not any(at in window for window in labels)]
            false += runs(outside)
            alarms += runs(outside) + sum(any(at in window for at in marks) for window in labels)
        precision, recall = found / alarms if alarms else 0.0, found / windows
        f1 = 2 * precision * recall / (precision + recall) if found else 0.0
        score = found - (windows - found) - 0.11 * false
        rows.append((name, found, windows, 100 * false / points, f1, score))
    return rows


def forecasts(cases: int = 40) -> tuple[float, float, float]:
    """(mean error of a month's sum, the same of "like the last 30 days", share of outcomes within the band)."""
    errors, plain, inside = [], [], 0
    for seed in range(cases):
        rnd = random.Random(f"forecast {seed}")
        weekend, growth = rnd.uniform(0.55, 1), rnd.uniform(0.999, 1.002)
        series = [
            Decimal(
                repr(
                    round(1000 * growth**d * (weekend if d % 7 >= 5 else 1) * rnd.lognormvariate(0, 0.04), 4)
                )
            )
            for d in range(240)
        ]
        known, actual = series[:210], sum(series[210:], Decimal(0))
        found = forecast(known, 30)
        assert found is not None
        errors.append(abs(float(found.total / actual - 1)))
        plain.append(abs(float(sum(known[-30:]) / actual - 1)))
        inside += found.low <= actual <= found.high
    return sum(errors) / cases, sum(plain) / cases, inside / cases


def run(bench: Bench) -> Iterator[Row]:
    per_kind = bench.size(40, 10)
    for noise in (0.02, 0.03, 0.04, 0.05):
        tables = planted_table(per_kind, noise)
        best = max(row[1] / row[2] for row in tables[1:])
        for name, found, cases, false, milliseconds in tables:
            ours = name == tables[0][0]
            good = found / cases >= 0.95 and false <= 1.5
            yield Row(
                f"planted, noise {noise:.0%}: {name}",
                f"{found}/{cases} found, {false:.2f} false/100 d, {milliseconds:.3f} ms a point",
                f"best rival {best:.0%}" if ours else "",
                None,
                "≥ 95 % at ≤ 1.5" if ours else "",
                good if ours else None,
            )
    if not (CORPORA / "nab").exists():
        yield Row("NAB: the corpus is not here", "")
    else:
        tables2 = nab_table()
        for name, found, windows, false, f1, score in tables2:
            ours = name == tables2[0][0]
            ahead = all(f1 > row[4] and score > row[5] for row in tables2[1:])
            yield Row(
                f"NAB, resampled: {name}",
                f"{found}/{windows} windows, {false:.2f} false/100, F1 {f1:.3f}, NAB {score:.1f}",
                "",
                None,
                "ahead of both" if ours else "",
                ahead if ours else None,
            )
    error, plain, inside = forecasts(per_kind)
    yield Row(
        "forecast of a month: mean error",
        f"{error:.1%}",
        f"{plain:.1%} last 30 days",
        error / plain,
        "≤ 1 ×",
        error <= plain,
    )
    yield Row("forecast of a month: outcomes within the 80 % band", f"{inside:.0%}")
