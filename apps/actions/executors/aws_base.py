"""What the kinds of action on AWS share: a kind says how a state is read and how one state becomes another.

`write` is the only thing that changes a cloud. `apply` and `rollback` read before they write, so that a
second call, after a kill between any two API calls, does only what is left.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, cast

from apps.connectors.aws.cloud import AwsCloud, operation_name, without_metadata
from apps.connectors.aws.names import region_in, short_id
from apps.connectors.clouds import Cloud

from .base import Call, CannotPlan, Change, Kind, Receipt, State, Target, Verdict, compare

Params = Mapping[str, Any]
# What an answer may hold that evidence must not.
_SECRET = ("password", "secretaccesskey", "secretkey", "sessiontoken", "userdata", "authtoken")
_READS = ("get_", "list_", "describe_", "head_")


class Recording:
    """`AwsCloud.call` that keeps what was changed. Reads are left out: the pipeline keeps the states."""

    def __init__(self, cloud: AwsCloud, region: str | None) -> None:
        self._cloud, self.region = cloud, region
        self.calls: list[Call] = []

    def __call__(
        self, service: str, method: str, region: str | None = None, /, **request: Any
    ) -> dict[str, Any]:
        answer = self._cloud.call(service, method, region, **request)
        if not method.startswith(_READS):
            self.calls.append(
                Call(operation_name(service, method), plain(request), plain(without_metadata(answer)))
            )
        return answer


def plain(value: Any) -> Any:
    """JSON-ready, times in ISO form, secrets left out."""
    if isinstance(value, Mapping):
        return {
            key: "(left out)" if key.replace("_", "").lower() in _SECRET else plain(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return json.loads(json.dumps(value, default=str))


def object_schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """A JSON Schema of parameters: an object that takes these and no others."""
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


class AwsExecutor:
    """Subclasses give `kind`, `read_state`, `plan` and `write`; `pending` where AWS takes its time."""

    kind: Kind

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        raise NotImplementedError

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        """Make `wanted` of `now`; returns what a rollback must know beyond the states."""
        raise NotImplementedError

    def plan(self, target: Target, state: State, params: Params) -> Change:
        raise NotImplementedError

    def pending(self, state: State, wanted: State) -> bool:
        """Whether `state` is on its way to `wanted`."""
        return False

    def read(self, cloud: Cloud, target: Target, params: Params) -> State:
        return self.read_state(self._recording(cloud, target), target, params)

    def apply(self, cloud: Cloud, target: Target, change: Change, params: Params, key: str) -> Receipt:
        return self._bring_about(cloud, target, change.after, params, key)

    def verify(
        self, cloud: Cloud, target: Target, change: Change, params: Params, receipt: Receipt
    ) -> Verdict:
        state = self.read(cloud, target, params)
        differences = compare(state, change.after)
        if differences and self.pending(state, change.after):
            return Verdict(state, pending=True)
        return Verdict(state, differences)

    def rollback(
        self, cloud: Cloud, target: Target, change: Change, params: Params, receipt: Receipt, key: str
    ) -> Receipt:
        if not change.reversible:
            raise CannotPlan(change.undo)
        return self._bring_about(cloud, target, change.before, params, key)

    def _bring_about(self, cloud: Cloud, target: Target, wanted: State, params: Params, key: str) -> Receipt:
        aws = self._recording(cloud, target)
        now = self.read_state(aws, target, params)
        made = self.write(aws, target, now, wanted, params, key) if compare(now, wanted) else {}
        return Receipt(tuple(aws.calls), made)

    @staticmethod
    def _recording(cloud: Cloud, target: Target) -> Recording:
        return Recording(cast(AwsCloud, cloud), region_in(target.native_id, target.location))


def name_of(target: Target) -> str:
    """What API calls name the target by."""
    return short_id(target.native_id)
