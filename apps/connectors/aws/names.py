"""ARNs: what of them an API call wants, and how the inventory makes them where an answer has none."""

from __future__ import annotations


def short_id(native_id: str) -> str:
    """What API calls name a resource by: `arn:aws:ec2:eu-west-1:1:instance/i-0a` → `i-0a`; else as given."""
    if not native_id.startswith("arn:"):
        return native_id
    last = native_id.split(":", 5)[-1]
    if last.startswith(("db:", "function:")):
        return last.partition(":")[2]
    return last.rsplit("/", 1)[-1]


def region_in(native_id: str, location: str | None) -> str | None:
    """The region that an ARN names, else that of a location (a zone's letter is dropped)."""
    if native_id.startswith("arn:"):
        named = native_id.split(":")[3]
        if named:
            return named
    if not location or location in ("global", "aws-global"):
        return None
    return location[:-1] if location[-1:].isalpha() and location[-2:-1].isdigit() else location


def arn(service: str, region: str, account: str, rest: str, partition: str = "aws") -> str:
    return f"arn:{partition}:{service}:{region}:{account}:{rest}"


def partition_of(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
