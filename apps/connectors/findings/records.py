"""A finding of another tool, in the words of this product."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.connectors.records import Rejected

FAIL, PASS = "fail", "pass"

# What other tools call the clouds that are known here.
_PROVIDERS = {
    "aws": "aws",
    "amazon web services": "aws",
    "azure": "azure",
    "microsoft azure": "azure",
    "gcp": "gcp",
    "google cloud": "gcp",
    "google cloud platform": "gcp",
    "ibm": "ibm",
    "ibm cloud": "ibm",
}
MAX_TEXT = 4000


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """What a tool says of one resource by one of its checks.

    `source` is the tool (lower case: `prowler`), `check_id` its own name of the check. `outcome` is fail or pass: a
    pass closes what an earlier file opened. `severity` is one of ours. `native_id` is None where the finding is
    about no cloud resource (a file in a repository): `place` says about what. `seen_at` is aware, None where the
    file does not tell. `controls` maps a framework to its control ids. `line` counts from 1.
    """

    source: str
    check_id: str
    title: str
    severity: str
    outcome: str
    reason: str
    line: int
    provider: str | None = None
    native_id: str | None = None
    resource_type: str = ""
    resource_name: str = ""
    account: str | None = None
    region: str | None = None
    place: str = ""
    seen_at: datetime | None = None
    uid: str = ""
    description: str = ""
    remediation: str = ""
    references: tuple[str, ...] = ()
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def provider_of(value: Any, field_name: str) -> str:
    """One of the four clouds. Raises Rejected for any other (kubernetes, m365, …)."""
    found = _PROVIDERS.get(str(value or "").strip().lower())
    if found is None:
        raise Rejected(field_name, f"{str(value)[:60]!r} is no cloud that is known here")
    return found


def slug(value: Any) -> str:
    """A tool's name as a source: `AWS Security Hub` → `aws-security-hub`; empty where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", str(value or "").lower()).strip("-")[:60]


def text(value: Any, limit: int = MAX_TEXT) -> str:
    """A string without blanks around, cut; empty for anything else."""
    return value.strip()[:limit] if isinstance(value, str) else ""


def texts(value: Any) -> tuple[str, ...]:
    """The strings of a list, without empty ones."""
    return tuple(found for item in value if (found := text(item, 500))) if isinstance(value, list) else ()


def moment(value: Any) -> datetime | None:
    """ISO 8601 text (UTC where it names no zone), or seconds or milliseconds since 1970; None for anything else."""
    if isinstance(value, str) and value:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        # OCSF says milliseconds; Prowler writes seconds. Seconds reach 1e11 in the year 5138.
        try:
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        except (OverflowError, OSError, ValueError):
            return None
    return None


def mapping(value: Any) -> dict[str, Any]:
    """An object, or an empty one: what is optional and of another kind is as if it were not there."""
    return value if isinstance(value, dict) else {}
