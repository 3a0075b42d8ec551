"""SARIF 2.1.0 (OASIS): the results of static analysers, of which some name cloud resources.

A result is about a cloud resource where a logical location, the artifact's address or a property `resource`,
`resourceId` or `arn` is an id that a cloud gives (an ARN, an ARM id, a CRN, a full resource name); all others are
about a file, and have a `place` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.connectors.files.source import BrokenSource, ByteStream
from apps.connectors.files.strict_json import parse_object
from apps.connectors.findings.records import FAIL, PASS, FindingRecord, mapping, moment, slug, text
from apps.connectors.records import Refusal, Rejected

MAX_BYTES = 64 * 1024 * 1024
_LEVELS = {"error": "high", "warning": "medium", "note": "low", "none": "low"}
_KINDS = {"pass": PASS, "fail": FAIL, "open": FAIL, "review": FAIL}
_NO_VERDICT = {"notApplicable", "informational"}
_PROPERTIES = ("resourceId", "resource", "arn", "resource_id")


def read_sarif(stream: ByteStream) -> Iterator[FindingRecord | Refusal]:
    """A record or a refusal for each result; `line` is the result's number in the file, from 1."""
    try:
        document = parse_object(_whole(stream))
        runs = document.get("runs")
        if not isinstance(runs, list):
            raise Rejected("runs", "runs is not a list")
    except Rejected as rejected:
        yield Refusal(1, rejected.field, rejected.reason)
        return
    except BrokenSource as broken:
        yield Refusal(1, None, str(broken))
        return
    number = 0
    for index, run in enumerate(runs):
        results = mapping(run).get("results")
        for result in results if isinstance(results, list) else []:
            number += 1
            try:
                yield _record(mapping(result), mapping(run), f"runs[{index}]", number)
            except Rejected as rejected:
                yield Refusal(
                    number, rejected.field, rejected.reason, text(mapping(result).get("ruleId"), 200) or None
                )


def _whole(stream: ByteStream) -> bytes:
    """SARIF nests its results in runs, after the rules that they refer to: it is read whole, within a bound."""
    parts, size = [], 0
    while chunk := stream.read1(1024 * 1024):
        size += len(chunk)
        if size > MAX_BYTES:
            raise Rejected(None, f"the file is larger than {MAX_BYTES // 1024**2} MiB")
        parts.append(chunk)
    return b"".join(parts)


def _record(result: dict[str, Any], run: dict[str, Any], where: str, number: int) -> FindingRecord:
    driver = mapping(mapping(run.get("tool")).get("driver"))
    source = slug(driver.get("name"))
    if not source:
        raise Rejected(f"{where}.tool.driver.name", "the run does not say which tool made it")
    rule = _rule(result, driver)
    check = text(result.get("ruleId"), 200) or text(rule.get("id"), 200)
    if not check:
        raise Rejected("ruleId", "the result names no rule")
    provider, native_id = _resource(result)
    place = _place(result)
    if native_id is None and not place:
        raise Rejected("locations", "the result names neither a resource nor a file")
    title = (
        text(mapping(rule.get("shortDescription")).get("text"), 300) or text(rule.get("name"), 300) or check
    )
    return FindingRecord(
        source=source,
        check_id=check,
        title=title,
        severity=_severity(result, rule),
        outcome=_outcome(result),
        reason=text(mapping(result.get("message")).get("text")) or title,
        line=number,
        provider=provider,
        native_id=native_id,
        resource_name=(native_id or "").rsplit("/", 1)[-1].rsplit(":", 1)[-1],
        place=place,
        seen_at=_ended(run),
        uid=text(result.get("guid"), 200) or _fingerprint(result),
        description=text(mapping(rule.get("fullDescription")).get("text")),
        remediation=text(mapping(rule.get("help")).get("text")),
        references=tuple(filter(None, (text(rule.get("helpUri"), 500),))),
    )


def _rule(result: dict[str, Any], driver: dict[str, Any]) -> dict[str, Any]:
    rules = driver.get("rules")
    rules = rules if isinstance(rules, list) else []
    index = result.get("ruleIndex", mapping(result.get("rule")).get("index"))
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(rules):
        return mapping(rules[index])
    return next((mapping(rule) for rule in rules if mapping(rule).get("id") == result.get("ruleId")), {})


def _severity(result: dict[str, Any], rule: dict[str, Any]) -> str:
    """`security-severity` as the large code hosts read it (a CVSS number), else the level."""
    told = mapping(rule.get("properties")).get("security-severity")
    try:
        score = float(told) if told is not None else None
    except (TypeError, ValueError):
        score = None
    if score is not None:
        return next(
            name
            for least, name in ((9, "critical"), (7, "high"), (4, "medium"), (-1e9, "low"))
            if score >= least
        )
    level = (
        text(result.get("level")) or text(mapping(rule.get("defaultConfiguration")).get("level")) or "warning"
    )
    if level not in _LEVELS:
        raise Rejected("level", f"level {level[:20]!r} is none of {', '.join(_LEVELS)}")
    return _LEVELS[level]


def _outcome(result: dict[str, Any]) -> str:
    kind = text(result.get("kind")) or "fail"
    if kind in _NO_VERDICT or kind not in _KINDS:
        raise Rejected("kind", f"no verdict: the result is of kind {kind[:40]!r}")
    return PASS if result.get("baselineState") == "absent" else _KINDS[kind]


def _resource(result: dict[str, Any]) -> tuple[str | None, str | None]:
    for value in _names(result):
        if provider := _cloud_of(value):
            return provider, value
    return None, None


def _names(result: dict[str, Any]) -> Iterator[str]:
    properties = mapping(result.get("properties"))
    for key in _PROPERTIES:
        yield text(properties.get(key), 1024)
    for location in _locations(result):
        logical = location.get("logicalLocations")
        for item in logical if isinstance(logical, list) else []:
            yield text(mapping(item).get("fullyQualifiedName"), 1024)
            yield text(mapping(item).get("name"), 1024)
        yield text(_artifact(location).get("uri"), 1024)


def _cloud_of(value: str) -> str | None:
    lowered = value.lower()
    if lowered.startswith("arn:aws"):
        return "aws"
    if lowered.startswith("/subscriptions/"):
        return "azure"
    if lowered.startswith("crn:v1:"):
        return "ibm"
    return "gcp" if lowered.startswith("//") and ".googleapis.com/" in lowered else None


def _place(result: dict[str, Any]) -> str:
    for location in _locations(result):
        if uri := text(_artifact(location).get("uri"), 1000):
            line = mapping(mapping(location.get("physicalLocation")).get("region")).get("startLine")
            return f"{uri}:{line}" if isinstance(line, int) else uri
    return ""


def _locations(result: dict[str, Any]) -> list[dict[str, Any]]:
    locations = result.get("locations")
    return [mapping(item) for item in locations] if isinstance(locations, list) else []


def _artifact(location: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(location.get("physicalLocation")).get("artifactLocation"))


def _fingerprint(result: dict[str, Any]) -> str:
    prints = mapping(result.get("fingerprints")) or mapping(result.get("partialFingerprints"))
    return next((text(value, 200) for _, value in sorted(prints.items()) if text(value)), "")


def _ended(run: dict[str, Any]) -> Any:
    invocations = run.get("invocations")
    times = [mapping(item).get("endTimeUtc") for item in invocations] if isinstance(invocations, list) else []
    return next((found for value in reversed(times) if (found := moment(value))), None)
