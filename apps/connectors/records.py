"""What a connector hands over: a resource as the cloud tells it, or the reason why a row was refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

PROVIDERS = ("azure", "aws", "gcp", "ibm")

WHOLE = "whole"

# Where a partial record's content lives in the merged document (Cloud Asset Inventory's content types).
PART_KEYS = {
    "iam_policy": "iamPolicy",
    "org_policy": "orgPolicy",
    "os_inventory": "osInventory",
    "related_assets": "relatedAssets",
}
RESOURCE_PART = "resource"
# A line that names an asset and carries no content: it proves the asset exists and erases nothing.
LISTING_PART = "listing"

# A zone's name begins with its region's.
_ZONES = {
    "aws": re.compile(r"^([a-z]{2}(?:-[a-z]+)+-\d+)(?:-[a-z]+-\d+)?[a-z]$"),
    "gcp": re.compile(r"^([a-z]+-[a-z]+\d+)-[a-z]$"),
    "ibm": re.compile(r"^([a-z]{2}-[a-z]+)-\d+$"),
}


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """One resource, or one part of it, normalised at ingest.

    `native_id` is the cloud's own id as given; `type` is lower-case; `location` is normalised (zone or
    region); `account` is a subscription, AWS account, project or IBM
    account. `tags` is flat, text to text, keys as given. `document` is the cloud's own document, whole
    (`part == "whole"`), or what one line of a several-line export says of it. `line` counts from 1.
    """

    native_id: str
    provider: str
    type: str
    name: str
    group_name: str | None
    location: str | None
    account: str | None
    tags: dict[str, str]
    status: str | None
    document: dict[str, Any]
    line: int
    part: str = WHOLE

    @property
    def region(self) -> str | None:
        """The region that the location is or lies in."""
        return region_of(self.provider, self.location)

    @property
    def key(self) -> tuple[str, str, str]:
        """(provider, type, id) to tell resources apart; Azure compares ids without regard to case."""
        native_id = self.native_id.lower() if self.provider == "azure" else self.native_id
        return (self.provider, self.type, native_id)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row, or the rest of a file, that was not taken, and why. `field` is a dotted path, if known."""

    line: int
    field: str | None
    reason: str
    native_id: str | None = None


def region_of(provider: str, location: str | None) -> str | None:
    """The region that a normalised location lies in: `us-east-1a` → `us-east-1`."""
    if location is None or provider not in _ZONES:
        return location
    zone = _ZONES[provider].match(location)
    return zone[1] if zone else location


class Rejected(Exception):
    """Raised while one row is read; the reader turns it into a Refusal with the row's line."""

    def __init__(self, field: str | None, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def merge_documents(stored: dict[str, Any], record: ResourceRecord) -> dict[str, Any]:
    """The document to keep when `record` arrives for a resource whose document is `stored`.

    A whole record replaces. A `resource` part replaces everything but the other parts; any other part
    replaces its own key only, so an iam_policy line never erases resource data.
    """
    if record.part == WHOLE:
        return record.document
    if record.part == RESOURCE_PART:
        kept = {key: stored[key] for key in PART_KEYS.values() if key in stored}
        return {**record.document, **kept}
    return {**stored, **record.document}
