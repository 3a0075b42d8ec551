"""ASFF, the AWS Security Finding Format (2018-10-08): Security Hub's `{"Findings": [...]}`, a list, or lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.connectors.files.elements import array_elements
from apps.connectors.files.lines import Line, numbered_lines
from apps.connectors.files.source import ByteStream
from apps.connectors.files.strict_json import parse_object
from apps.connectors.findings.records import FAIL, PASS, FindingRecord, mapping, moment, slug, text, texts
from apps.connectors.findings.streams import first_byte, is_row
from apps.connectors.records import Refusal, Rejected

LIST_KEYS = ("Findings",)
_LABELS = {"INFORMATIONAL": "low", "LOW": "low", "MEDIUM": "medium", "HIGH": "high", "CRITICAL": "critical"}
_VERDICTS = {"PASSED": PASS, "FAILED": FAIL, "WARNING": FAIL}


def read_asff(stream: ByteStream) -> Iterator[FindingRecord | Refusal]:
    """A record for each resource of each finding, or a refusal with the finding's line."""
    first, whole = first_byte(stream)
    by_line = first == b"{" and is_row(whole, LIST_KEYS)
    lines = numbered_lines(whole) if by_line else array_elements(whole, LIST_KEYS)
    for item in lines:
        if isinstance(item, Refusal):
            yield item
        else:
            yield from _records(item)


def _records(item: Line) -> Iterator[FindingRecord | Refusal]:
    line, raw = item
    finding: dict[str, Any] = {}
    try:
        finding = parse_object(raw)
        yield from records_of_finding(finding, line)
    except Rejected as rejected:
        yield Refusal(line, rejected.field, rejected.reason, text(finding.get("Id"), 200) or None)


def records_of_finding(finding: dict[str, Any], line: int) -> list[FindingRecord]:
    """The records of one finding. Raises Rejected naming the field."""
    compliance = mapping(finding.get("Compliance"))
    check = text(compliance.get("SecurityControlId"), 200) or text(finding.get("GeneratorId"), 500)
    if not check:
        raise Rejected("GeneratorId", "GeneratorId is missing")
    resources = finding.get("Resources")
    if not isinstance(resources, list) or not resources:
        raise Rejected("Resources", "the finding names no resource")
    recommendation = mapping(mapping(finding.get("Remediation")).get("Recommendation"))
    shared: dict[str, Any] = {
        "source": _source(finding),
        "check_id": check,
        "title": text(finding.get("Title"), 300) or check,
        "severity": _severity(mapping(finding.get("Severity"))),
        "outcome": _outcome(finding, compliance),
        "reason": text(finding.get("Description")) or text(finding.get("Title")) or check,
        "line": line,
        "seen_at": next(
            filter(None, (moment(finding.get(k)) for k in ("LastObservedAt", "UpdatedAt", "CreatedAt"))), None
        ),
        "uid": text(finding.get("Id"), 500),
        "description": text(finding.get("Description")),
        "remediation": text(recommendation.get("Text")),
        "references": tuple(filter(None, (text(recommendation.get("Url"), 500),))),
        "controls": _controls(compliance),
    }
    return [
        FindingRecord(**shared, **_resource(mapping(resource), finding, number))
        for number, resource in enumerate(resources)
    ]


def _source(finding: dict[str, Any]) -> str:
    product = text(finding.get("ProductName")) or text(
        mapping(finding.get("ProductFields")).get("aws/securityhub/ProductName")
    )
    # arn:aws:securityhub:eu-west-1::product/prowler/prowler
    product = product or text(finding.get("ProductArn")).rsplit("/", 1)[-1]
    if not (source := slug(product)):
        raise Rejected("ProductArn", "the finding does not say which product found it")
    return source


def _resource(resource: dict[str, Any], finding: dict[str, Any], number: int) -> dict[str, Any]:
    native_id = text(resource.get("Id"), 1024)
    if not native_id:
        raise Rejected(f"Resources[{number}].Id", "the resource has no id")
    # Security Hub names an account as a resource `AWS::::Account:111122223333`.
    return {
        "provider": "aws",
        "native_id": native_id,
        "resource_type": text(resource.get("Type"), 200),
        "resource_name": native_id.rsplit("/", 1)[-1].rsplit(":", 1)[-1],
        "account": text(finding.get("AwsAccountId"), 20) or None,
        "region": text(resource.get("Region"), 100) or text(finding.get("Region"), 100) or None,
    }


def _severity(severity: dict[str, Any]) -> str:
    label = text(severity.get("Label")).upper()
    if label in _LABELS:
        return _LABELS[label]
    normalized = severity.get("Normalized")
    if isinstance(normalized, int | float) and not isinstance(normalized, bool):
        # ASFF: 0 informational, 1–39 low, 40–69 medium, 70–89 high, 90–100 critical.
        return next(
            name
            for least, name in ((90, "critical"), (70, "high"), (40, "medium"), (-1e9, "low"))
            if normalized >= least
        )
    raise Rejected("Severity.Label", "the finding has neither a severity label nor a normalized severity")


def _outcome(finding: dict[str, Any], compliance: dict[str, Any]) -> str:
    if text(finding.get("RecordState")).upper() == "ARCHIVED":
        return PASS
    if text(mapping(finding.get("Workflow")).get("Status")).upper() == "RESOLVED":
        return PASS
    status = text(compliance.get("Status")).upper()
    if not status:
        return FAIL  # GuardDuty and the like: something that was found
    if status not in _VERDICTS:
        raise Rejected("Compliance.Status", f"no verdict: the check says {status}")
    return _VERDICTS[status]


def _controls(compliance: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """`RelatedRequirements` reads "NIST.800-53.r5 AC-2(1)" or "CIS AWS Foundations Benchmark v1.4.0/1.12"."""
    found: dict[str, list[str]] = {}
    for requirement in texts(compliance.get("RelatedRequirements")):
        framework, _, control = requirement.replace("/", " ").rpartition(" ")
        if framework and control:
            found.setdefault(framework.strip(), []).append(control)
    return {framework: tuple(ids) for framework, ids in found.items()}
