"""EC2: instances, volumes, snapshots, security groups, addresses, images; and functions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .rows import Ask, Listed, Lister, Row, row, token_request, with_details

PAGE = 500


def _ec2(
    type_: str, method: str, answer: str, arn_kind: str, id_key: str, name_key: str = "", **asked: Any
) -> Lister:
    """A describe call that pages by NextToken and whose things have ids of their own."""

    def listed(ask: Ask, token: str | None) -> Listed:
        told = ask("ec2", method, MaxResults=PAGE, **asked, **token_request("NextToken", token))
        rows = [
            row(
                ask,
                type_,
                ask.arn("ec2", f"{arn_kind}/{one[id_key]}"),
                one,
                name=one.get(name_key) or None,
                location=_zone(one) or ask.region,
            )
            for one in told[answer]
        ]
        return Listed(rows, told.get("NextToken") or None)

    return Lister(listed)


def _zone(one: dict[str, Any]) -> str | None:
    zone: str | None = one.get("AvailabilityZone")
    return zone


def _instances(ask: Ask, token: str | None) -> Listed:
    told = ask("ec2", "describe_instances", MaxResults=PAGE, **token_request("NextToken", token))
    found = [one for reservation in told["Reservations"] for one in reservation["Instances"]]
    rows = [
        row(
            ask,
            "aws.ec2",
            ask.arn("ec2", f"instance/{one['InstanceId']}"),
            one,
            location=one.get("Placement", {}).get("AvailabilityZone") or ask.region,
        )
        for one in found
        if one["State"]["Name"] not in ("terminated", "shutting-down")
    ]
    return Listed(rows, told.get("NextToken") or None)


def _instance(ask: Ask, found: Row) -> Row:
    """Its user data, base64 as it was given: the catalog keeps what was found in it, and not the text."""
    told = ask(
        "ec2",
        "describe_instance_attribute",
        InstanceId=found["properties"]["InstanceId"],
        Attribute="userData",
    )
    return with_details(found, UserData=(told.get("UserData") or {}).get("Value") or None)


def _addresses(ask: Ask, token: str | None) -> Listed:
    """The one describe call of EC2 without pages."""
    told = ask("ec2", "describe_addresses")["Addresses"]
    return Listed(
        [
            row(
                ask,
                "aws.elastic-ip",
                ask.arn("ec2", f"elastic-ip/{one.get('AllocationId') or one['PublicIp']}"),
                {key: value for key, value in one.items() if key != "AssociationId" or value},
                location=ask.region,
            )
            for one in told
        ],
        None,
    )


def _functions(ask: Ask, token: str | None) -> Listed:
    told = ask("lambda", "list_functions", **token_request("Marker", token))
    rows = [
        row(ask, "aws.lambda", one["FunctionArn"], one, name=one["FunctionName"], location=ask.region)
        for one in told["Functions"]
    ]
    return Listed(rows, told.get("NextMarker") or None)


def _function(ask: Ask, found: Row) -> Row:
    """Its tags, and who may call it."""
    tags = ask("lambda", "list_tags", Resource=found["id"]).get("Tags", {})
    policy = ask.or_none("lambda", "get_policy", FunctionName=found["properties"]["FunctionName"])
    text = policy and policy["Policy"]
    return with_details(found, _as_list(tags.items()), Policy=text, PolicyDocument=text and _json(text))


def _json(text: str) -> Any:
    """A policy's text as an object: SQL can't be sure to read it. None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _as_list(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(pairs)]


COMPUTE: dict[str, Lister] = {
    "aws.ec2": Lister(_instances, _instance),
    "aws.ebs": _ec2("aws.ebs", "describe_volumes", "Volumes", "volume", "VolumeId"),
    "aws.ebs-snapshot": _ec2(
        "aws.ebs-snapshot", "describe_snapshots", "Snapshots", "snapshot", "SnapshotId", OwnerIds=["self"]
    ),
    "aws.security-group": _ec2(
        "aws.security-group",
        "describe_security_groups",
        "SecurityGroups",
        "security-group",
        "GroupId",
        "GroupName",
    ),
    "aws.elastic-ip": Lister(_addresses),
    "aws.ami": _ec2("aws.ami", "describe_images", "Images", "image", "ImageId", "Name", Owners=["self"]),
    "aws.lambda": Lister(_functions, _function),
}
