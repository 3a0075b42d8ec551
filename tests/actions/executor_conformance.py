"""What every executor must hold, of any kind on any cloud. A test module makes Rigs and runs `CHECKS` on them.

A rig is one resource on a fake cloud that this kind can change. It can lose answers, as a kill does: the call is
made (or not), nobody hears of it, and the next attempt begins anew with the same key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jsonschema
import pytest

from apps.actions.executors.base import CannotPlan, Change, Executor, Receipt, State, Target
from apps.connectors.clouds import Cloud
from apps.connectors.errors import CloudAway, CloudDenied, CloudError, CloudGone, CloudThrottled

LOOKS = 20  # until what is pending has settled
MOST_CALLS = 40  # that an apply or a rollback may make


class Faults(Protocol):
    """What a fake cloud can be made to do. Each holds until `heal`."""

    def cut(self, at: int, done: bool) -> None:
        """The call `at` (from 0, from now) gets no answer; with `done` it has happened. Raises CloudAway there."""

    def throttle(self, times: int, retry_after: float | None = None) -> None: ...

    def deny(self) -> None: ...

    def heal(self) -> None: ...


@dataclass
class Rig:
    """`lose` takes the resource away; `snapshot` is the fake's whole state, for comparison, without what no
    rollback brings back (etags, ids of what is made anew)."""

    executor: Executor
    cloud: Cloud
    target: Target
    faults: Faults
    lose: Callable[[], None]
    snapshot: Callable[[], Any]
    params: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> State:
        return self.executor.read(self.cloud, self.target, self.params)

    def plan(self) -> Change:
        return self.executor.plan(self.target, self.read(), self.params)

    def apply(self, change: Change, key: str = "key-1") -> Receipt:
        return self.executor.apply(self.cloud, self.target, change, self.params, key)

    def rollback(self, change: Change, receipt: Receipt, key: str = "key-1") -> Receipt:
        return self.executor.rollback(self.cloud, self.target, change, self.params, receipt, key)

    def settled(self, change: Change, receipt: Receipt) -> bool:
        """Whether it holds in the end; looks as the runner does."""
        for _ in range(LOOKS):
            verdict = self.executor.verify(self.cloud, self.target, change, self.params, receipt)
            if not verdict.pending:
                return verdict.holds
        return False

    def back(self, change: Change) -> bool:
        """Whether the live state is `change.before` again, in the end."""
        return any(dict(self.read()) == dict(change.before) for _ in range(LOOKS))


def check_kind_is_well_formed(rig: Rig) -> None:
    kind = rig.executor.kind
    jsonschema.Draft202012Validator.check_schema(dict(kind.params))
    jsonschema.validate(dict(rig.params), dict(kind.params))
    assert kind.params["additionalProperties"] is False
    assert kind.type.startswith(f"{kind.provider}.")
    assert rig.target.type in kind.resource_types
    assert all(type_ == type_.lower() for type_ in kind.resource_types)
    assert kind.risk in ("low", "medium", "high")
    assert kind.description.endswith(".")


def check_round_trip(rig: Rig) -> None:
    """read → plan → apply → verify → rollback → read equals the start."""
    start, whole = dict(rig.read()), rig.snapshot()
    change = rig.plan()
    assert not change.is_nothing
    assert dict(change.before) == start
    assert change.before.keys() == change.after.keys()
    assert rig.target.name in change.summary
    assert change.undo
    json.dumps([dict(change.before), dict(change.after)], allow_nan=False)
    assert dict(rig.read()) == start, "planning changed something"
    receipt = rig.apply(change)
    assert receipt.calls
    json.dumps([[c.operation, dict(c.request), dict(c.response)] for c in receipt.calls], allow_nan=False)
    assert rig.settled(change, receipt)
    assert rig.plan().is_nothing, "what was done is not seen as done"
    if not change.reversible:
        with pytest.raises(CannotPlan):
            rig.rollback(change, receipt)
        return
    undone = rig.rollback(change, receipt)
    assert undone.calls
    assert rig.back(change)
    assert rig.snapshot() == whole, "something else than what was changed was not put back"


def check_twice_with_the_same_key(rig: Rig) -> None:
    change = rig.plan()
    first = rig.apply(change)
    assert rig.settled(change, first)
    after = rig.snapshot()
    again = rig.apply(change)
    assert rig.settled(change, again)
    assert rig.snapshot() == after
    if change.reversible:
        undone = rig.rollback(change, again)
        assert rig.back(change)
        before = rig.snapshot()
        rig.rollback(change, undone)
        assert rig.back(change)
        assert rig.snapshot() == before


def check_killed_between_any_two_calls(make: Callable[[], Rig], done: bool) -> None:
    """For each call of apply and of rollback: killed there, gone on from the start with the same key."""
    for step in ("apply", "rollback"):
        for at in range(MOST_CALLS):
            rig = make()
            change = rig.plan()
            if step == "rollback" and not change.reversible:
                break
            receipt = Receipt()
            if step == "rollback":
                receipt = rig.apply(change)
                assert rig.settled(change, receipt)
            rig.faults.cut(at, done)
            run = rig.apply if step == "apply" else lambda c, rig=rig, r=receipt: rig.rollback(c, r)  # type: ignore[misc]
            try:
                run(change)
            except CloudAway:
                pass
            else:
                rig.faults.heal()
                assert at > 0, "no call was made"
                break  # it made fewer calls than that
            rig.faults.heal()
            result = run(change)
            if step == "apply":
                assert rig.settled(change, result), (step, at)
            else:
                assert rig.back(change), (step, at)
        else:
            raise AssertionError(f"{step} makes more than {MOST_CALLS} calls")


def check_refusals_are_said_in_words(make: Callable[[], Rig]) -> None:
    """Denied, throttled and gone, at reading and at applying: the right error, in words, and nothing changed."""

    def refused(rig: Rig, call: Callable[[], Any], kind: type[CloudError], retryable: bool) -> None:
        with pytest.raises(kind) as raised:
            call()
        assert raised.value.retryable is retryable
        assert len(str(raised.value)) > 40
        assert raised.value.operation

    rig = make()
    change, start = rig.plan(), rig.snapshot()
    rig.faults.deny()
    refused(rig, rig.read, CloudDenied, False)
    refused(rig, lambda: rig.apply(change), CloudDenied, False)
    rig.faults.heal()
    assert rig.snapshot() == start
    rig.faults.throttle(1, 3)
    with pytest.raises(CloudThrottled) as throttled:
        rig.apply(change)
    assert throttled.value.retry_after == 3
    rig.faults.heal()
    assert rig.settled(change, rig.apply(change))
    rig = make()
    change = rig.plan()
    rig.lose()
    refused(rig, rig.read, CloudGone, False)
    with pytest.raises(CloudError) as gone:
        rig.apply(change)
    assert not gone.value.retryable


def check_a_change_behind_its_back_is_seen(rig: Rig, meddle: Callable[[], None]) -> None:
    """What somebody else changes after the plan shows in the state that the runner compares."""
    before = dict(rig.read())
    meddle()
    assert dict(rig.read()) != before
