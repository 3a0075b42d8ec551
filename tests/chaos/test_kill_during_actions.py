"""`kill -9` of worker, broker, database and object store in every state of an action: none lost, none twice, none stuck."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.action_faults import Installation, Trial, each, random_trials, try_fault

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home() -> Iterator[Installation]:
    made = Installation.make()
    yield made
    made.stack.stop()


@pytest.fixture(autouse=True)
def everything_runs(home: Installation) -> None:
    home.revive()


def _name(trial: Trial) -> str:
    return f"{trial.state}-{trial.component.replace(' ', '-')}"


@pytest.mark.parametrize("trial", each(), ids=_name)
def test_each_state_and_component(home: Installation, trial: Trial) -> None:
    assert try_fault(home, trial).changes == 2


@pytest.mark.parametrize("trial", random_trials(seed=1), ids=lambda t: f"{_name(t)}-{t.pause:.2f}-{t.where}")
def test_at_a_random_moment(home: Installation, trial: Trial) -> None:
    assert try_fault(home, trial).changes == 2
