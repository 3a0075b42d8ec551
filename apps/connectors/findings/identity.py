"""Which resource a finding is about: the ids under which the inventory may know what another tool names."""

from __future__ import annotations

import re

from apps.connectors.files.aws_config_types import CONFIG_TYPES
from apps.connectors.normalise import normalise_type

# The parts of EC2 are known by their ids alone (i-…, vol-…, sg-…); these are unique in an account.
_EC2_ID = re.compile(r"^[a-z]{1,20}-[0-9a-f]{8,17}$")
_ARM_PROVIDER = re.compile(r"/providers/([^/]+)/(.+)$", re.IGNORECASE)
# Security Hub and Prowler call AWS::S3::Bucket "AwsS3Bucket".
_ASFF_TYPES = {f"Aws{name[5:].replace('::', '')}".lower(): type_ for name, type_ in CONFIG_TYPES.items()}


def candidate_ids(provider: str, native_id: str) -> tuple[str, ...]:
    """The finding's own id first, then the shorter one that an inventory may keep (a bucket's name for its ARN)."""
    if provider != "aws" or not native_id.startswith("arn:"):
        return (native_id,)
    tail = native_id.split(":", 5)[-1]
    if native_id.split(":")[2] == "s3" and "/" not in tail:
        return (native_id, tail)
    last = tail.rsplit("/", 1)[-1]
    return (native_id, last) if _EC2_ID.match(last) else (native_id,)


def type_of(provider: str, native_id: str, told: str) -> str:
    """The catalog's type for what a tool calls a resource's type; `<cloud>.other` where it does not say."""
    if provider == "azure" and (found := _ARM_PROVIDER.search(native_id)):
        segments = found[2].strip("/").split("/")
        return normalise_type("/".join((found[1], *segments[::2])))
    if provider == "aws":
        known = _ASFF_TYPES.get(told.lower()) or CONFIG_TYPES.get(told)
        if known:
            return known
    if not told or told.lower() == "other":
        return f"{provider}.other"
    return normalise_type(told)
