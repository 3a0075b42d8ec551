"""IBM Cloud: virtual servers of VPC stopped and started."""

from __future__ import annotations

from typing import Any

from apps.connectors.calls import Made
from apps.connectors.ibm import changes

from .base import Kind, State, Target
from .power import PowerWords, power_kinds

TYPES = ("ibm.is-instance",)
WORDS = PowerWords(off="stopped", going_on=frozenset({"starting", "pending"}))


class _Calls:
    def read(self, cloud: Any, target: Target) -> State:
        return changes.read_instance(cloud, target.native_id, target.location)

    def stop(self, cloud: Any, target: Target, key: str) -> Made:
        return changes.act_on_instance(cloud, target.native_id, target.location, "stop")

    def start(self, cloud: Any, target: Target, key: str) -> Made:
        return changes.act_on_instance(cloud, target.native_id, target.location, "start")

    def obstacle(self, state: State) -> str:
        return ""


STOP, START = power_kinds(
    Kind(
        type="ibm.vpc.stop_instance",
        title="Stop virtual server",
        provider="ibm",
        resource_types=TYPES,
        risk="high",
        reversible=True,
        description="Stop a virtual server of VPC: its volumes and addresses go on costing.",
    ),
    Kind(
        type="ibm.vpc.start_instance",
        title="Start virtual server",
        provider="ibm",
        resource_types=TYPES,
        risk="medium",
        reversible=True,
        description="Start a virtual server of VPC that is stopped.",
    ),
    _Calls(),
    WORDS,
)
