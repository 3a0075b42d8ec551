"""Google Cloud: instances of Compute Engine stopped and started. The key goes along as the request's id."""

from __future__ import annotations

from typing import Any

from apps.connectors.calls import Made
from apps.connectors.gcp import compute

from .base import Kind, State, Target
from .power import PowerWords, power_kinds

TYPES = ("compute.googleapis.com/instance", "gcp.instance")
WORDS = PowerWords(
    off="terminated",
    going_off=frozenset({"stopping", "pending_stop"}),
    going_on=frozenset({"provisioning", "staging"}),
)


class _Calls:
    def read(self, cloud: Any, target: Target) -> State:
        return compute.read_instance(cloud, target.native_id)

    def stop(self, cloud: Any, target: Target, key: str) -> Made:
        return compute.stop_instance(cloud, target.native_id, key)

    def start(self, cloud: Any, target: Target, key: str) -> Made:
        return compute.start_instance(cloud, target.native_id, key)

    def obstacle(self, state: State) -> str:
        if state.get("local_ssds"):
            return f"what is on its {state['local_ssds']} local SSDs would be lost."
        if state.get("group"):
            return (
                f"the instance group {state['group']} would start it again: make the group smaller instead."
            )
        return ""


STOP, START = power_kinds(
    Kind(
        type="gcp.compute.stop_instance",
        title="Stop instance",
        provider="gcp",
        resource_types=TYPES,
        risk="high",
        reversible=True,
        description="Stop an instance of Compute Engine: it costs no more than its disks and reserved addresses.",
    ),
    Kind(
        type="gcp.compute.start_instance",
        title="Start instance",
        provider="gcp",
        resource_types=TYPES,
        risk="medium",
        reversible=True,
        description="Start an instance of Compute Engine that is stopped.",
    ),
    _Calls(),
    WORDS,
)
