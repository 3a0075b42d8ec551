"""OCSF findings (Open Cybersecurity Schema Framework 1.x): a list of events, or one event a line.

Classes: 2001 Security Finding (until 1.0), 2003 Compliance Finding, 2004 Detection Finding. A compliance status or,
as Prowler writes it, `status_code` says pass or fail; a resolved or archived finding counts as passed. One that is
suppressed over there is open here: leave to break a rule is given here, by two people.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.connectors.files.elements import array_elements
from apps.connectors.files.lines import Line, numbered_lines
from apps.connectors.files.source import ByteStream
from apps.connectors.files.strict_json import parse_object
from apps.connectors.findings.records import (
    FAIL,
    PASS,
    FindingRecord,
    mapping,
    moment,
    provider_of,
    slug,
    text,
    texts,
)
from apps.connectors.findings.streams import first_byte
from apps.connectors.records import Refusal, Rejected

CLASSES = {2001: "Security Finding", 2003: "Compliance Finding", 2004: "Detection Finding"}
# severity_id: 0 unknown, 1 informational … 5 critical, 6 fatal.
_SEVERITIES = {
    0: "medium",
    1: "low",
    2: "low",
    3: "medium",
    4: "high",
    5: "critical",
    6: "critical",
    99: "medium",
}
_VERDICTS = {"PASS": PASS, "FAIL": FAIL}
_COMPLIANCE = {1: PASS, 2: FAIL, 3: FAIL}  # compliance.status_id: pass, warning, fail
_OVER = {4, 5, 6}  # status_id: resolved, archived, deleted


def read_ocsf(stream: ByteStream) -> Iterator[FindingRecord | Refusal]:
    """A record for each resource of each event, or a refusal with the event's line."""
    first, whole = first_byte(stream)
    lines = array_elements(whole, ()) if first == b"[" else numbered_lines(whole)
    for item in lines:
        if isinstance(item, Refusal):
            yield item
        else:
            yield from _records(item)


def _records(item: Line) -> Iterator[FindingRecord | Refusal]:
    line, raw = item
    event: dict[str, Any] = {}
    try:
        event = parse_object(raw)
        yield from records_of_event(event, line)
    except Rejected as rejected:
        uid = mapping(event.get("finding_info")).get("uid")
        yield Refusal(line, rejected.field, rejected.reason, text(uid, 200) or None)


def records_of_event(event: dict[str, Any], line: int) -> list[FindingRecord]:
    """The records of one event. Raises Rejected naming the field."""
    class_uid = event.get("class_uid")
    if class_uid not in CLASSES:
        raise Rejected("class_uid", f"class {class_uid} is none of {', '.join(map(str, CLASSES))}")
    info = mapping(event.get("finding_info") or event.get("finding"))
    product = mapping(mapping(event.get("metadata")).get("product"))
    source = slug(product.get("name") or product.get("uid") or product.get("vendor_name"))
    if not source:
        raise Rejected("metadata.product", "the event does not say which product found it")
    check = text(mapping(event.get("metadata")).get("event_code"), 200) or _check_of(event, info)
    if not check:
        raise Rejected("metadata.event_code", "the event names neither a check nor a title")
    resources = event.get("resources") or ([event["resource"]] if event.get("resource") else [])
    if not isinstance(resources, list) or not resources:
        raise Rejected("resources", "the event names no resource")
    shared = _shared(event, info, source, check, line)
    return [
        FindingRecord(**shared, **_resource(mapping(resource), event, number))
        for number, resource in enumerate(resources)
    ]


def _shared(
    event: dict[str, Any], info: dict[str, Any], source: str, check: str, line: int
) -> dict[str, Any]:
    remediation = mapping(event.get("remediation"))
    return {
        "source": source,
        "check_id": check,
        "title": text(info.get("title"), 300) or check,
        "severity": _severity(event.get("severity_id")),
        "outcome": _outcome(event),
        "reason": text(event.get("status_detail"))
        or text(event.get("message"))
        or text(info.get("title"))
        or check,
        "line": line,
        "seen_at": moment(event.get("time_dt")) or moment(event.get("time")),
        "uid": text(info.get("uid"), 500),
        "description": text(info.get("desc")) or text(event.get("risk_details")),
        "remediation": text(remediation.get("desc")),
        "references": texts(remediation.get("references") or remediation.get("kb_articles")),
        "controls": _controls(event),
    }


def _resource(resource: dict[str, Any], event: dict[str, Any], number: int) -> dict[str, Any]:
    cloud = mapping(event.get("cloud"))
    where = f"resources[{number}].uid"
    native_id = text(resource.get("uid"), 1024) or text(resource.get("name"), 1024)
    if not native_id:
        raise Rejected(where, "the resource has neither uid nor name")
    return {
        "provider": provider_of(cloud.get("provider"), "cloud.provider"),
        "native_id": native_id,
        "resource_type": text(resource.get("type"), 200),
        "resource_name": text(resource.get("name"), 500),
        "account": text(mapping(cloud.get("account")).get("uid"), 200) or None,
        "region": text(resource.get("region"), 100) or text(cloud.get("region"), 100) or None,
    }


def _check_of(event: dict[str, Any], info: dict[str, Any]) -> str:
    control = text(mapping(event.get("compliance")).get("control"), 200)
    return control or text(mapping(info.get("analytic")).get("uid"), 200) or text(info.get("title"), 200)


def _severity(value: Any) -> str:
    try:
        return _SEVERITIES[value]
    except (KeyError, TypeError):
        raise Rejected("severity_id", f"severity_id {str(value)[:20]} is none of OCSF's") from None


def _outcome(event: dict[str, Any]) -> str:
    if event.get("status_id") in _OVER and event.get("class_uid") != 2003:
        return PASS
    compliance = mapping(event.get("compliance"))
    verdict = _COMPLIANCE.get(compliance.get("status_id") or -1)
    verdict = verdict or _VERDICTS.get(text(event.get("status_code")).upper())
    verdict = verdict or _VERDICTS.get(text(compliance.get("status")).upper())
    if verdict is not None:
        return verdict
    if event.get("class_uid") == 2003 or text(event.get("status_code")):
        told = text(event.get("status_code"), 40) or compliance.get("status_id")
        raise Rejected("status_code", f"no verdict: the check says {told!r}, neither pass nor fail")
    return FAIL  # a detection is something that was found


def _controls(event: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Prowler keeps frameworks under `unmapped.compliance`; OCSF has `compliance.standards` and `requirements`."""
    given = mapping(mapping(event.get("unmapped")).get("compliance"))
    found = {str(name)[:200]: ids for name, values in given.items() if (ids := texts(values))}
    compliance = mapping(event.get("compliance"))
    for standard in texts(compliance.get("standards")):
        if requirements := texts(compliance.get("requirements")):
            found.setdefault(standard, requirements)
    return found
