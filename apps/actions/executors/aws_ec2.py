"""Instances: stop, start, resize, demand version 2 of the metadata service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.aws import ec2
from apps.connectors.aws.names import region_in

from .aws_base import AwsExecutor, Params, Recording, name_of, object_schema
from .base import CannotPlan, Change, Kind, State, Target
from .prices import aws_price, monthly

TYPES = ("aws.ec2",)
_ON_THE_WAY = {"stopped": ("stopping",), "running": ("pending",)}
_ADDRESS = "A public address that is not an elastic one is another one afterwards."


def _kind(type_: str, title: str, risk: str, description: str, params: Any = None) -> Kind:
    schema = params or object_schema()
    return Kind(type_, title, "aws", TYPES, risk, True, description, schema)


class _Power(AwsExecutor):
    """The state: `state`, and what decides whether the instance may be stopped at all."""

    wanted: str

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        one = ec2.instance(aws, aws.region, name_of(target))
        return {
            "state": one["State"]["Name"],
            "instance_type": one["InstanceType"],
            "root_device": one.get("RootDeviceType", "ebs"),
        }

    def pending(self, state: State, wanted: State) -> bool:
        return state["state"] in _ON_THE_WAY[wanted["state"]]

    def plan(self, target: Target, state: State, params: Params) -> Change:
        _refuse_unsettled(state)
        if self.wanted == "stopped" and state["root_device"] == "instance-store":
            raise CannotPlan("The instance's root lies on instance storage: it can't be stopped, only ended.")
        return Change(before=state, after={**state, "state": self.wanted}, **self.words(target, state))

    def words(self, target: Target, state: State) -> dict[str, Any]:
        raise NotImplementedError

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        if now["state"] != wanted["state"] and not self.pending(now, wanted):
            (ec2.stop if wanted["state"] == "stopped" else ec2.start)(aws, aws.region, name_of(target))
        return {}


class Stop(_Power):
    wanted = "stopped"
    kind = _kind(
        "aws.ec2.stop",
        "Stop an instance",
        "medium",
        "Stops the instance; its volumes stay, and are paid for.",
    )

    def words(self, target: Target, state: State) -> dict[str, Any]:
        hourly = aws_price("instance_hour", state["instance_type"], _region(target))
        return {
            "summary": f"Stop {target.name} ({state['instance_type']}).",
            "undo": f"The instance is started again. {_ADDRESS} What was only in memory is gone.",
            "disruption": "What runs on the instance is not there until it is started again.",
            "monthly_saving": monthly(hourly) if state["state"] == "running" else None,
        }


class Start(_Power):
    wanted = "running"
    kind = _kind("aws.ec2.start", "Start an instance", "low", "Starts a stopped instance.")

    def words(self, target: Target, state: State) -> dict[str, Any]:
        return {
            "summary": f"Start {target.name} ({state['instance_type']}).",
            "undo": "The instance is stopped again.",
        }


class Resize(AwsExecutor):
    kind = _kind(
        "aws.ec2.resize",
        "Change an instance's type",
        "high",
        "Stops the instance where it runs, changes its type, and starts it again where it ran.",
        object_schema(
            ("instance_type",),
            instance_type={"type": "string", "pattern": r"^[a-z0-9-]{2,20}\.[a-z0-9-]{2,20}$"},
        ),
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        one = ec2.instance(aws, aws.region, name_of(target))
        return {"instance_type": one["InstanceType"], "state": one["State"]["Name"]}

    def pending(self, state: State, wanted: State) -> bool:
        return (
            state["instance_type"] == wanted["instance_type"]
            and state["state"] in _ON_THE_WAY[wanted["state"]]
        )

    def plan(self, target: Target, state: State, params: Params) -> Change:
        _refuse_unsettled(state)
        old, new = state["instance_type"], params["instance_type"]
        region, runs = _region(target), state["state"] == "running"
        prices = [aws_price("instance_hour", type_, region) for type_ in (old, new)]
        saving = prices[0] - prices[1] if runs and prices[0] is not None and prices[1] is not None else None
        return Change(
            before=state,
            after={**state, "instance_type": new},
            summary=f"Change {target.name} from {old} to {new}.",
            undo=f"The type is changed back to {old}, with the same interruption.",
            disruption=f"The instance is stopped for some minutes. {_ADDRESS}" if runs else "",
            monthly_saving=monthly(saving),
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        """Each step looks at where the last attempt has left the instance."""
        name, region, at = name_of(target), aws.region, now["state"]
        if now["instance_type"] != wanted["instance_type"]:
            if at in ("running", "pending"):
                if at == "pending":
                    ec2.wait_for_state(aws, region, name, "running")
                ec2.stop(aws, region, name)
            if at != "stopped":
                ec2.wait_for_state(aws, region, name, "stopped")
            ec2.set_instance_type(aws, region, name, wanted["instance_type"])
            at = "stopped"
        if wanted["state"] == "running" and at != "running":
            if at == "stopping":
                ec2.wait_for_state(aws, region, name, "stopped")
            if at != "pending":
                ec2.start(aws, region, name)
        elif wanted["state"] == "stopped" and at == "running":
            ec2.stop(aws, region, name)
        return {}


class RequireImdsV2(AwsExecutor):
    kind = _kind(
        "aws.ec2.require_imdsv2",
        "Demand version 2 of the metadata service",
        "medium",
        "The instance's metadata answers only who has fetched a session token first, which a forged request can't.",
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        options = ec2.instance(aws, aws.region, name_of(target)).get("MetadataOptions") or {}
        return {"http_tokens": options.get("HttpTokens", "optional")}

    def plan(self, target: Target, state: State, params: Params) -> Change:
        return Change(
            before=state,
            after={"http_tokens": "required"},
            summary=f"Let the metadata service of {target.name} answer version 2 only.",
            undo="Version 1 is allowed again; nothing restarts.",
            disruption="Programs that still ask for credentials by version 1 (old SDKs) stop getting them.",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        ec2.set_http_tokens(aws, aws.region, name_of(target), wanted["http_tokens"])
        return {}


def _refuse_unsettled(state: State) -> None:
    if state["state"] not in ("running", "stopped"):
        raise CannotPlan(f"The instance is {state['state']}: look again when it has settled.")


def _region(target: Target) -> str | None:
    return region_in(target.native_id, target.location)
