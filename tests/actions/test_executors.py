"""Every kind on Azure, Google Cloud and IBM Cloud, by the clouds' own SDKs against stateful fakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.actions import executor_conformance as conformance
from tests.actions.executor_conformance import Rig
from tests.actions.rigs import FAKES, KINDS, rig_for

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _rig(stack: ExitStack, kind: str) -> Rig:
    return rig_for(kind, stack.enter_context(FAKES[kind.split(".")[0]]()))


@each_kind
def test_a_kind_is_well_formed(kind: str, stack: ExitStack) -> None:
    conformance.check_kind_is_well_formed(_rig(stack, kind))


@each_kind
def test_what_is_applied_is_verified_and_rolled_back(kind: str, stack: ExitStack) -> None:
    conformance.check_round_trip(_rig(stack, kind))


@each_kind
def test_twice_with_the_same_key_is_once(kind: str, stack: ExitStack) -> None:
    conformance.check_twice_with_the_same_key(_rig(stack, kind))


@pytest.mark.parametrize("done", [True, False], ids=["done", "undone"])
@each_kind
def test_a_kill_between_any_two_calls_is_gone_on_from(kind: str, done: bool, stack: ExitStack) -> None:
    conformance.check_killed_between_any_two_calls(lambda: _rig(stack, kind), done)


@each_kind
def test_refusals_are_said_in_words(kind: str, stack: ExitStack) -> None:
    conformance.check_refusals_are_said_in_words(lambda: _rig(stack, kind))
