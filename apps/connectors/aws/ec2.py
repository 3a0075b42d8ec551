"""What is read and changed of instances and security groups."""

from __future__ import annotations

import time
from typing import Any

from apps.connectors.aws.cloud import Call
from apps.connectors.errors import CloudAway, CloudGone

WORLD = ("0.0.0.0/0", "::/0")
POLL_SECONDS = 3.0
PATIENCE_SECONDS = 300.0


def instance(call: Call, region: str | None, instance_id: str) -> dict[str, Any]:
    """The instance's own document. Raises CloudGone also for one that is terminated."""
    answer = call("ec2", "describe_instances", region, InstanceIds=[instance_id])
    found = [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
    if not found or found[0]["State"]["Name"] == "terminated":
        raise CloudGone(f"There is no instance {instance_id} (any more).", operation="ec2:DescribeInstances")
    one: dict[str, Any] = found[0]
    return one


def wait_for_state(call: Call, region: str | None, instance_id: str, state: str) -> None:
    """Until the instance is `running` or `stopped`. Raises CloudAway, which says to look again later."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        now = instance(call, region, instance_id)["State"]["Name"]
        if now == state:
            return
        if time.monotonic() > deadline:
            raise CloudAway(
                f"The instance {instance_id} is still {now} after {PATIENCE_SECONDS:.0f} s, not {state}.",
                operation="ec2:DescribeInstances",
            )
        time.sleep(POLL_SECONDS)


def stop(call: Call, region: str | None, instance_id: str) -> None:
    call("ec2", "stop_instances", region, InstanceIds=[instance_id])


def start(call: Call, region: str | None, instance_id: str) -> None:
    call("ec2", "start_instances", region, InstanceIds=[instance_id])


def set_instance_type(call: Call, region: str | None, instance_id: str, type_: str) -> None:
    call("ec2", "modify_instance_attribute", region, InstanceId=instance_id, InstanceType={"Value": type_})


def set_http_tokens(call: Call, region: str | None, instance_id: str, tokens: str) -> None:
    """`required`: only the session-oriented version 2 of the metadata service answers."""
    call("ec2", "modify_instance_metadata_options", region, InstanceId=instance_id, HttpTokens=tokens)


Rule = dict[str, Any]


def world_open_rules(call: Call, region: str | None, group_id: str) -> list[Rule]:
    """Ingress rules that let everybody in, one for each range: {protocol, from, to, range, description}."""
    answer = call("ec2", "describe_security_groups", region, GroupIds=[group_id])
    rules = [
        {
            "protocol": permission["IpProtocol"],
            "from": permission.get("FromPort"),
            "to": permission.get("ToPort"),
            "range": range_[key],
            "description": range_.get("Description", ""),
        }
        for permission in answer["SecurityGroups"][0].get("IpPermissions", [])
        for ranges, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"))
        for range_ in permission.get(ranges, [])
        if range_.get(key) in WORLD
    ]
    return sorted(rules, key=lambda r: (r["protocol"], r["from"] or 0, r["to"] or 0, r["range"]))


def revoke_rules(call: Call, region: str | None, group_id: str, rules: list[Rule]) -> None:
    permissions = [_permission(rule, described=False) for rule in rules]
    call("ec2", "revoke_security_group_ingress", region, GroupId=group_id, IpPermissions=permissions)


def authorize_rules(call: Call, region: str | None, group_id: str, rules: list[Rule]) -> None:
    permissions = [_permission(rule, described=True) for rule in rules]
    call("ec2", "authorize_security_group_ingress", region, GroupId=group_id, IpPermissions=permissions)


def _permission(rule: Rule, *, described: bool) -> dict[str, Any]:
    six = ":" in rule["range"]
    range_ = {"CidrIpv6" if six else "CidrIp": rule["range"]}
    if described and rule["description"]:
        range_["Description"] = rule["description"]
    ports = {} if rule["from"] is None else {"FromPort": rule["from"], "ToPort": rule["to"]}
    return {"IpProtocol": rule["protocol"], **ports, "Ipv6Ranges" if six else "IpRanges": [range_]}
