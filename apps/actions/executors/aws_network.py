"""Security groups: take away the rules that let the whole world in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.aws import ec2

from .aws_base import AwsExecutor, Params, Recording, name_of, object_schema
from .base import Change, Kind, State, Target

Rule = dict[str, Any]
_PORT = {"type": "integer", "minimum": 0, "maximum": 65535}


class RevokeWorldOpen(AwsExecutor):
    kind = Kind(
        type="aws.security_group.revoke_world_open",
        title="Close a security group to the world",
        provider="aws",
        resource_types=("aws.security-group",),
        risk="high",
        reversible=True,
        description="Takes away incoming rules from 0.0.0.0/0 and ::/0: all of them, or those that reach given ports.",
        params=object_schema(
            ports={
                "type": "array",
                "minItems": 1,
                "maxItems": 100,
                "uniqueItems": True,
                "items": _PORT,
                "description": "Only rules that reach one of these ports",
            }
        ),
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        return {"world_open": ec2.world_open_rules(aws, aws.region, name_of(target))}

    def plan(self, target: Target, state: State, params: Params) -> Change:
        rules: list[Rule] = state["world_open"]
        closing = [rule for rule in rules if _reaches(rule, params.get("ports"))]
        told = ", ".join(_words(rule) for rule in closing) or "no rule"
        return Change(
            before=state,
            after={"world_open": [rule for rule in rules if rule not in closing]},
            summary=f"Take away from {target.name}: {told}.",
            undo="The same rules are added again, with their descriptions.",
            disruption="New connections from anywhere that came in by these rules are refused. Connections that are "
            "tracked may live on until they end.",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        closing = [rule for rule in now["world_open"] if rule not in wanted["world_open"]]
        opening = [rule for rule in wanted["world_open"] if rule not in now["world_open"]]
        if closing:
            ec2.revoke_rules(aws, aws.region, name_of(target), closing)
        if opening:
            ec2.authorize_rules(aws, aws.region, name_of(target), opening)
        return {}


def _reaches(rule: Rule, ports: list[int] | None) -> bool:
    """ICMP and the like have types, not ports: only "all rules" means them."""
    if not ports or rule["protocol"] == "-1":
        return True
    if rule["protocol"] not in ("tcp", "udp", "6", "17") or rule["from"] is None:
        return False
    return any(rule["from"] <= port <= rule["to"] for port in ports)


def _words(rule: Rule) -> str:
    if rule["protocol"] == "-1":
        return f"everything from {rule['range']}"
    ports = f"{rule['from']}" if rule["from"] == rule["to"] else f"{rule['from']}–{rule['to']}"
    return f"{rule['protocol']} {ports} from {rule['range']}"
