"""Tags, by each service's own calls: the Tagging API sees nothing of IAM and lags behind.

`type_` is the catalog's type, `native_id` an ARN or what the service names the resource by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.connectors.aws import rds, s3
from apps.connectors.aws.cloud import Call
from apps.connectors.aws.names import short_id
from apps.connectors.errors import CloudGone, CloudUnsupported

Tags = dict[str, str]


@dataclass(frozen=True)
class _Service:
    """How a service reads, sets and removes tags: methods, the parameter that names the resource, by ARN or not."""

    service: str
    read: str
    put: str
    remove: str
    parameter: str
    answer: str
    tags: str = "Tags"
    keys: str = "TagKeys"
    by_arn: bool = False
    # Names of a tag's two halves; empty: an object instead of a list.
    halves: tuple[str, ...] = ("Key", "Value")


_EC2 = ("aws.ec2", "aws.ebs", "aws.ebs-snapshot", "aws.security-group", "aws.elastic-ip", "aws.ami")
_SERVICES = {
    "aws.rds": _Service(
        "rds", "list_tags_for_resource", "add_tags_to_resource", "remove_tags_from_resource",
        "ResourceName", "TagList", by_arn=True,
    ),
    "aws.iam-user": _Service("iam", "list_user_tags", "tag_user", "untag_user", "UserName", "Tags"),
    "aws.iam-role": _Service("iam", "list_role_tags", "tag_role", "untag_role", "RoleName", "Tags"),
    "aws.kms-key": _Service(
        "kms", "list_resource_tags", "tag_resource", "untag_resource", "KeyId", "Tags",
        halves=("TagKey", "TagValue"),
    ),
    "aws.lambda": _Service(
        "lambda", "list_tags", "tag_resource", "untag_resource", "Resource", "Tags", by_arn=True, halves=(),
    ),
}  # fmt: skip
TYPES = (*_EC2, "aws.s3", *_SERVICES)


def read_tags(call: Call, type_: str, native_id: str, region: str | None) -> Tags:
    if type_ in _EC2:
        filters = [{"Name": "resource-id", "Values": [short_id(native_id)]}]
        told = call("ec2", "describe_tags", region, Filters=filters)["Tags"]
        return {tag["Key"]: tag["Value"] for tag in told}
    if type_ == "aws.s3":
        answer = s3.unless_unset(call, "get_bucket_tagging", short_id(native_id))
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]} if answer else {}
    service = _service(type_)
    answer = call(service.service, service.read, region, **_named(service, native_id))
    told = answer.get(service.answer) or {}
    if not service.halves:
        return dict(told)
    key, value = service.halves
    return {tag[key]: tag[value] for tag in told}


def put_tags(call: Call, type_: str, native_id: str, region: str | None, tags: Mapping[str, str]) -> None:
    """Set these and leave the others."""
    if type_ in _EC2:
        call("ec2", "create_tags", region, Resources=[short_id(native_id)], Tags=_listed(tags))
    elif type_ == "aws.s3":
        _replace_of_bucket(call, native_id, {**read_tags(call, type_, native_id, region), **tags})
    else:
        service = _service(type_)
        value: Any = _listed(tags, *service.halves) if service.halves else dict(tags)
        request = {**_named(service, native_id), service.tags: value}
        call(service.service, service.put, region, **request)


def remove_tags(call: Call, type_: str, native_id: str, region: str | None, keys: Sequence[str]) -> None:
    if type_ in _EC2:
        call(
            "ec2", "delete_tags", region, Resources=[short_id(native_id)], Tags=[{"Key": key} for key in keys]
        )
    elif type_ == "aws.s3":
        kept = read_tags(call, type_, native_id, region)
        _replace_of_bucket(call, native_id, {k: v for k, v in kept.items() if k not in keys})
    else:
        service = _service(type_)
        request = {**_named(service, native_id), service.keys: list(keys)}
        call(service.service, service.remove, region, **request)


def require_there(call: Call, type_: str, native_id: str, region: str | None) -> None:
    """EC2 answers no tags for what is not there: ask for the thing itself. Raises CloudGone."""
    if type_ == "aws.rds":
        rds.database(call, region, short_id(native_id))
    method, parameter, answer = {
        "aws.ec2": ("describe_instances", "InstanceIds", "Reservations"),
        "aws.ebs": ("describe_volumes", "VolumeIds", "Volumes"),
        "aws.ebs-snapshot": ("describe_snapshots", "SnapshotIds", "Snapshots"),
        "aws.security-group": ("describe_security_groups", "GroupIds", "SecurityGroups"),
        "aws.elastic-ip": ("describe_addresses", "AllocationIds", "Addresses"),
        "aws.ami": ("describe_images", "ImageIds", "Images"),
    }.get(type_, ("", "", ""))
    if method and not call("ec2", method, region, **{parameter: [short_id(native_id)]})[answer]:
        raise CloudGone(f"There is no {short_id(native_id)} (any more).", operation=f"ec2:{method}")


def _service(type_: str) -> _Service:
    if type_ not in _SERVICES:
        raise CloudUnsupported(f"Tags of {type_} can't be changed by this release.")
    return _SERVICES[type_]


def _named(service: _Service, native_id: str) -> dict[str, str]:
    return {service.parameter: native_id if service.by_arn else short_id(native_id)}


def _listed(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in sorted(tags.items())]


def _replace_of_bucket(call: Call, native_id: str, tags: Tags) -> None:
    """S3 knows only the whole set; an empty one is refused, and means to delete it."""
    bucket = short_id(native_id)
    if tags:
        call("s3", "put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": _listed(tags)})
    else:
        call("s3", "delete_bucket_tagging", Bucket=bucket)
