"""The detector: planted anomalies are found, quiet series stay quiet, causes come in the right order."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from apps.costs.detection import Rule, find_events, forecast, rank_causes

DAYS = 150


def series(seed: int, noise: float = 0.03, weekend: float = 0.7, growth: float = 1.0005) -> list[Decimal]:
    rnd = random.Random(seed)
    return [
        Decimal(
            repr(round(1000 * growth**d * (weekend if d % 7 >= 5 else 1) * rnd.lognormvariate(0, noise), 4))
        )
        for d in range(DAYS)
    ]


def with_factor(values: list[Decimal], first: int, factors: list[str]) -> list[Decimal]:
    changed = list(values)
    for n, factor in enumerate(factors):
        changed[first + n] *= Decimal(factor)
    return changed


PLANTED = {
    "spike": ["1.8"],
    "level": ["1.35"] * 40,
    "drop": ["0.5"] * 5,
    "leak": [str(1 + 0.015 * n) for n in range(1, 41)],
}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found(kind: str) -> None:
    found = 0
    for seed in range(20):
        events = find_events(with_factor(series(seed), 100, PLANTED[kind]), Rule())
        window = range(100, 100 + len(PLANTED[kind]))
        found += any(set(event.days) & set(window) for event in events)
    assert found >= 19


def test_quiet_series_alarm_no_more_than_three_times_in_two_hundred_days() -> None:
    alarms = sum(len(find_events(series(seed, noise=0.04), Rule())) for seed in range(40))
    assert 100 * alarms / (40 * (DAYS - 28)) <= 1.5


def test_a_level_that_stays_is_one_event_and_not_thirty() -> None:
    events = find_events(with_factor(series(3, noise=0.01), 100, ["1.5"] * 20), Rule())
    assert len(events) == 1
    assert (events[0].first, events[0].direction) == (100, "up")
    assert events[0].impact == events[0].actual - events[0].expected > 0


def test_a_small_amount_is_nobodys_concern() -> None:
    spiked = with_factor(series(1), 100, ["1.8"])
    assert find_events(spiked, Rule())
    assert find_events(spiked, Rule(least=Decimal(5000))) == []


def test_without_history_only_a_large_change_stands_out() -> None:
    flat = [Decimal(100)] * 14
    assert find_events([*flat, Decimal(130)], Rule()) == []
    assert [e.first for e in find_events([*flat, Decimal(160)], Rule())] == [14]
    assert find_events([Decimal(1), Decimal(900)], Rule()) == []


def test_causes_are_ranked_by_share_and_the_narrower_comes_first() -> None:
    parts = [
        ("account", "a", "a", Decimal(100), Decimal(300)),
        ("account", "b", "b", Decimal(10), Decimal(10)),
        ("provider", "aws", "aws", Decimal(110), Decimal(310)),
        ("region", "eu", "eu", Decimal(100), Decimal(300)),
        ("region", "us", "us", Decimal(10), Decimal(10)),
        ("resource", "i-1", "web", Decimal(10), Decimal(205)),
        ("resource", "i-2", "db", Decimal(50), Decimal(55)),
        ("resource", "i-3", "old", Decimal(20), Decimal(5)),
    ]
    causes = rank_causes(parts, Decimal(200))
    assert [c.value for c in causes] == ["i-1", "a", "eu"]
    assert causes[0].share == Decimal("0.975")


def test_a_forecast_is_near_what_comes_and_its_band_holds_it_mostly() -> None:
    inside, errors = 0, []
    for seed in range(30):
        values = series(seed, noise=0.04)
        found = forecast(values[:120], 30)
        assert found is not None
        actual = sum(values[120:150], Decimal(0))
        errors.append(abs(found.total / actual - 1))
        inside += found.low <= actual <= found.high
        assert sum(found.days, Decimal(0)) == found.total
    assert sum(errors) / len(errors) < Decimal("0.03")
    assert inside >= 20


def test_too_little_history_gives_no_forecast() -> None:
    assert forecast([Decimal(1)] * 13, 30) is None
    assert forecast([Decimal(1)] * 20, 30).tried == 0  # type: ignore[union-attr]
