"""OCSF compliance findings (class 2003) of the violations that a report tells, one event each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

VERSION = "1.8.0"
CLASS_UID, CATEGORY_UID = 2003, 2
CREATED, UPDATED, CLOSED = 1, 2, 3
SEVERITY = {"low": 2, "medium": 3, "high": 4, "critical": 5}
# Of the finding: new, suppressed, resolved.
FINDING_STATUS = {"open": 1, "excepted": 3, "fixed": 4, "removed": 4}
PASS, FAIL = 1, 3
CLOUDS = {"azure": "Azure", "aws": "AWS", "gcp": "GCP", "ibm": "IBM Cloud"}


def compliance_finding(row: Mapping[str, Any], standards: list[str], controls: list[str]) -> dict[str, Any]:
    """The event of a row of the violations section. An excepted violation stays a failure, with its exception
    under `unmapped`; where the resource is gone, the profile `cloud`, which needs its provider, is left out."""
    status = row["status"]
    closed = status in ("fixed", "removed")
    activity = CLOSED if closed else CREATED if row["times_opened"] else UPDATED
    event: dict[str, Any] = {
        "activity_id": activity,
        "category_uid": CATEGORY_UID,
        "class_uid": CLASS_UID,
        "type_uid": CLASS_UID * 100 + activity,
        "time": _ms(row["status_since"]),
        "severity_id": SEVERITY.get(row["severity"], 0),
        "status_id": FINDING_STATUS[status],
        "metadata": {
            "version": VERSION,
            "product": {"name": "Governance desk", "vendor_name": "Governance desk"},
            "uid": str(row["violation_id"]),
        },
        "finding_info": {
            "uid": str(row["violation_id"]),
            "title": row["policy_name"] or row["policy_id"] or "A policy that is gone",
            "first_seen_time": _ms(row["first_seen"]),
        },
        "compliance": {"status_id": PASS if status == "fixed" else FAIL},
    }
    if row["reason"]:
        event["message"] = row["reason"]
    if standards:
        event["compliance"] |= {"standards": standards, "requirements": controls}
    if row["resource_id"]:
        event["resources"] = [_resource(row)]
    if row["provider"]:
        event["cloud"] = {"provider": CLOUDS.get(row["provider"], row["provider"])}
        if row["account"]:
            event["cloud"]["account"] = {"uid": row["account"]}
        event["metadata"]["profiles"] = ["cloud"]
    if status == "removed":
        event["compliance"]["status_id"] = 99
        event["compliance"]["status"] = "The resource is gone"
    if row["exception_id"]:
        event["unmapped"] = {"exception_id": str(row["exception_id"])}
    return event


def _resource(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {"uid": row["native_id"] or row["resource_id"]}
    if row["resource_name"]:
        found |= {"name": row["resource_name"], "type": row["resource_type"]}
    return found


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
