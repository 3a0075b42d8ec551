"""Azure: virtual machines stopped so that they cost nothing (deallocated), and started."""

from __future__ import annotations

from typing import Any

from apps.connectors.azure import changes
from apps.connectors.calls import Made

from .base import Kind, State, Target
from .power import PowerWords, power_kinds

TYPES = ("microsoft.compute/virtualmachines",)
WORDS = PowerWords(
    off="deallocated",
    going_off=frozenset({"stopping", "deallocating"}),
    other_off={
        "stopped": "It was stopped without being given back, and paid for: it can be started again, "
        "but not put back into that state."
    },
)


class _Calls:
    def read(self, cloud: Any, target: Target) -> State:
        return changes.read_machine(cloud, target.native_id)

    def stop(self, cloud: Any, target: Target, key: str) -> Made:
        return changes.deallocate_machine(cloud, target.native_id)

    def start(self, cloud: Any, target: Target, key: str) -> Made:
        return changes.start_machine(cloud, target.native_id)

    def obstacle(self, state: State) -> str:
        if state.get("ephemeral_disk"):
            return "its system disk lies on the host and would be lost; such a machine can only be deleted."
        return ""


STOP, START = power_kinds(
    Kind(
        type="azure.compute.stop_machine",
        title="Stop virtual machine",
        provider="azure",
        resource_types=TYPES,
        risk="high",
        reversible=True,
        description="Shut a virtual machine down and give its host back (deallocate): it costs no more than its disks.",
    ),
    Kind(
        type="azure.compute.start_machine",
        title="Start virtual machine",
        provider="azure",
        resource_types=TYPES,
        risk="medium",
        reversible=True,
        description="Start a virtual machine that is stopped.",
    ),
    _Calls(),
    WORDS,
)
