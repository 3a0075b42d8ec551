"""Machines stopped and started: one way of planning for all clouds, the calls are each cloud's own.

A state has `power` (the cloud's own word) and what else the cloud says that may stand in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from apps.connectors.calls import Made
from apps.connectors.clouds import Cloud

from .base import CannotPlan, Change, Kind, Receipt, State, Target, Verdict, compare
from .tagging import calls_of

UNREACHABLE = (
    "The machine and all that runs on it are not reachable until it is started again. "
    "What is only in its memory is lost, and an address that is not reserved may be another one afterwards."
)


class PowerCalls(Protocol):
    """What a cloud's module offers."""

    def read(self, cloud: Any, target: Target) -> State:
        """`power`, and whatever `obstacle` looks at."""
        ...

    def stop(self, cloud: Any, target: Target, key: str) -> Made: ...

    def start(self, cloud: Any, target: Target, key: str) -> Made: ...

    def obstacle(self, state: State) -> str:
        """Why such a machine can't be stopped; empty where it can."""
        ...


@dataclass(frozen=True)
class PowerWords:
    """A cloud's words for the states of a machine. `other_off` are states that are off too, and no way back to."""

    off: str
    on: str = "running"
    going_off: frozenset[str] = frozenset({"stopping"})
    going_on: frozenset[str] = frozenset({"starting"})
    other_off: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PowerExecutor:
    """Stops a machine (`turns_on` false), or starts one; each is the other's rollback."""

    kind: Kind
    calls: PowerCalls
    words: PowerWords
    turns_on: bool = False

    def read(self, cloud: Cloud, target: Target, params: Mapping[str, Any]) -> State:
        return self.calls.read(cloud, target)

    def plan(self, target: Target, state: State, params: Mapping[str, Any]) -> Change:
        power, words = state["power"], self.words
        wanted = words.on if self.turns_on else words.off
        if power in words.going_on | words.going_off:
            raise CannotPlan(f"{target.name} is {power}: plan again when it has got there.")
        if power not in {words.on, words.off, *words.other_off}:
            raise CannotPlan(f"{target.name} is {power}: from there it is neither stopped nor started.")
        obstacle = "" if self.turns_on or power == wanted else self.calls.obstacle(state)
        if obstacle:
            raise CannotPlan(f"{target.name} can't be stopped: {obstacle}")
        one_way = words.other_off.get(power, "")
        back = "stopped" if self.turns_on else "started"
        return Change(
            before=dict(state),
            after={**state, "power": wanted},
            summary=f"{target.name}: {'start' if self.turns_on else 'stop'} it ({power} → {wanted}).",
            undo=one_way or f"It is {back} again; what its programs did meanwhile is not undone.",
            reversible=not one_way,
            disruption=self._disruption(power == words.on),
        )

    def _disruption(self, is_on: bool) -> str:
        if self.turns_on:
            return "" if is_on else "It costs money again, and what it runs at boot begins to run."
        return UNREACHABLE if is_on else ""

    def apply(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], key: str
    ) -> Receipt:
        return self._bring(cloud, target, change.after["power"], key)

    def verify(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], receipt: Receipt
    ) -> Verdict:
        """Pending while it is on its way, or still where it was: clouds take the call, and begin later."""
        state = self.read(cloud, target, params)
        on_its_way = self._going(change.after["power"]) | {change.before["power"]}
        differences = compare(state, change.after)
        return Verdict(state, differences, pending=bool(differences) and state["power"] in on_its_way)

    def rollback(
        self,
        cloud: Cloud,
        target: Target,
        change: Change,
        params: Mapping[str, Any],
        receipt: Receipt,
        key: str,
    ) -> Receipt:
        if not change.reversible:
            raise CannotPlan(change.undo)
        return self._bring(cloud, target, change.before["power"], f"{key}:rollback")

    def _bring(self, cloud: Cloud, target: Target, wanted: str, key: str) -> Receipt:
        power = self.calls.read(cloud, target)["power"]
        if power == wanted or power in self._going(wanted):
            return Receipt()
        change = self.calls.start if wanted == self.words.on else self.calls.stop
        return Receipt(calls_of([change(cloud, target, key)]))

    def _going(self, wanted: str) -> frozenset[str]:
        return self.words.going_on if wanted == self.words.on else self.words.going_off


def power_kinds(
    stop: Kind, start: Kind, calls: PowerCalls, words: PowerWords
) -> tuple[PowerExecutor, PowerExecutor]:
    """Both directions of one cloud's machines."""
    return PowerExecutor(stop, calls, words), PowerExecutor(start, calls, words, turns_on=True)
