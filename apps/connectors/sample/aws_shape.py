"""What every Amazon row has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.connectors.sample.dice import Dice, Owner, Row

Builder = Callable[[Dice, Owner], Row]


def arn(service: str, region: str, account: str, resource: str) -> str:
    """An Amazon resource name."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as most services answer them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def row(owner: Owner, type_: str, native_id: str, document: dict[str, Any], name: str | None = None) -> Row:
    """A row of the plain inventory format; its name is the Name tag, where there is one."""
    tags = {tag["Key"]: tag["Value"] for tag in document.get("Tags", [])}
    zone = document.get("AvailabilityZone") or document.get("Placement", {}).get("AvailabilityZone")
    return {
        "id": native_id,
        "provider": "aws",
        "account": owner.account,
        "type": type_,
        "name": name or tags.get("Name") or native_id.rsplit("/", 1)[-1].rsplit(":", 1)[-1],
        "location": zone or native_id.split(":")[3] or "global",
        "tags": tags,
        "properties": document,
    }
