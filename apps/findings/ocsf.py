"""Violations as OCSF findings (Open Cybersecurity Schema Framework 1.8): one event each.

What our policies find is a Compliance Finding (class 2003), what other tools and the security scan find is a Detection
Finding (2004). A file of them can be imported again by anybody who reads OCSF, by this product too: `status_code`
says the verdict as Prowler writes it, and `metadata.event_code` the check.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.core.exports import LineFormat

from .models import OWN_SOURCE, Violation

FORMAT = "ocsf"
VERSION = "1.8.0"
PRODUCT = "Governance desk"
CATEGORY_UID = 2
COMPLIANCE, DETECTION = 2003, 2004
CREATED, UPDATED, CLOSED = 1, 2, 3
SEVERITY = {"low": 2, "medium": 3, "high": 4, "critical": 5}
# status_id of the finding: new, suppressed, resolved.
FINDING_STATUS = {"open": 1, "suppressed": 3, "fixed": 4}
PASS, FAIL = 1, 3
CLOUDS = {"azure": "Azure", "aws": "AWS", "gcp": "GCP", "ibm": "IBM Cloud"}


def finding_event(violation: Violation) -> dict[str, Any]:
    """The event of a violation with `shown_status`, `policy` and `resource`. An excepted one stays a failure, with
    its exception under `unmapped`."""
    shown = str(getattr(violation, "shown_status", violation.status))
    fixed = shown == "fixed"
    class_uid = COMPLIANCE if violation.source == OWN_SOURCE else DETECTION
    activity = CLOSED if fixed else CREATED if violation.first_seen == violation.last_seen else UPDATED
    policy = violation.policy
    metadata: Mapping[str, Any] = policy.metadata if policy is not None else {}
    event: dict[str, Any] = {
        "activity_id": activity,
        "category_uid": CATEGORY_UID,
        "class_uid": class_uid,
        "type_uid": class_uid * 100 + activity,
        "time": _ms(violation.fixed_at if fixed and violation.fixed_at else violation.last_seen),
        "severity_id": SEVERITY.get(violation.severity, 0),
        "status_id": FINDING_STATUS[shown],
        "status_code": "PASS" if fixed else "FAIL",
        "status_detail": violation.reason,
        "message": violation.reason,
        "metadata": {
            "version": VERSION,
            "product": _product(violation.source),
            "uid": str(violation.pk),
            "event_code": _check(violation, metadata),
        },
        "finding_info": _info(violation, metadata),
    }
    controls = metadata.get("controls")
    _add_verdict(event, fixed=fixed, controls=controls if isinstance(controls, dict) else {})
    _add_place(event, violation)
    if metadata.get("remediation"):
        event["remediation"] = {"desc": str(metadata["remediation"])}
    if violation.exception_id and not fixed:
        event.setdefault("unmapped", {})["exception_id"] = str(violation.exception_id)
    return event


def with_documents(rows: QuerySet[Any]) -> QuerySet[Any]:
    """With what an event tells of policy and resource, in the same query."""
    return rows.select_related("policy", "resource").defer("policy__parameters", "resource__tags")


def lines(rows: Iterable[Violation]) -> Iterator[str]:
    """A line of JSON for each, ended by a newline."""
    for row in rows:
        yield json.dumps(finding_event(row), ensure_ascii=False, separators=(",", ":")) + "\n"


def _product(source: str) -> dict[str, str]:
    if source in (OWN_SOURCE, "security"):
        return {"name": PRODUCT, "vendor_name": PRODUCT}
    return {"name": source}


def _check(violation: Violation, metadata: Mapping[str, Any]) -> str:
    """The check as its tool calls it, else the policy."""
    told = metadata.get("provider_id")
    named = told if isinstance(told, str) and told else violation.policy_id or "policy-gone"
    return named.removeprefix(f"{violation.source}/")


def _info(violation: Violation, metadata: Mapping[str, Any]) -> dict[str, Any]:
    info = {
        "uid": str(violation.pk),
        "title": violation.policy.name if violation.policy is not None else "A policy that is gone",
        "first_seen_time": _ms(violation.first_seen),
        "last_seen_time": _ms(violation.last_seen),
        "data_sources": [violation.source],
    }
    description = metadata.get("description")
    return {**info, "desc": description} if isinstance(description, str) and description else info


def _add_verdict(event: dict[str, Any], *, fixed: bool, controls: Mapping[str, Any]) -> None:
    if event["class_uid"] == COMPLIANCE:
        event["compliance"] = {"status_id": PASS if fixed else FAIL}
        if controls:
            requirements = [
                str(one) for ids in controls.values() for one in (ids if isinstance(ids, list) else [])
            ]
            event["compliance"] |= {"standards": sorted(map(str, controls)), "requirements": requirements}
    elif controls:
        event["unmapped"] = {"compliance": dict(controls)}


def _add_place(event: dict[str, Any], violation: Violation) -> None:
    """The profile `cloud` needs its provider: it is left out where the resource is gone."""
    resource = violation.resource
    if resource is None:
        return
    place = {"uid": resource.display_id, "name": resource.name, "type": resource.type}
    event["resources"] = [place | ({"region": resource.location} if resource.location else {})]
    event["cloud"] = {"provider": CLOUDS.get(resource.provider, resource.provider)}
    if resource.account:
        event["cloud"]["account"] = {"uid": resource.account}
    if resource.location:
        event["cloud"]["region"] = resource.location
    event["metadata"]["profiles"] = ["cloud"]


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


OCSF_LINES = LineFormat("OCSF", "ocsf.jsonl", lines)
