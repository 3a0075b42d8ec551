"""OSCAL 1.1: assessment results and a plan of action and milestones, of plain data.

Every UUID is a version 5: of an object, over its identity; of a document, over its own content, so that a re-run
gives the same bytes. Every time is the report's cut or a recorded one, with its zone.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.findings.posture.judging import NOT_ASSESSED, PolicyVerdict

from .controls import Assessment, Judged
from .sections.section import utc
from .tables import BundleFile

OSCAL_VERSION = "1.1.3"
NAMESPACE = uuid.UUID("b1b1f7b4-9f0f-5c5d-8f62-3a1f7f3a6d11")
OUR_NS = "https://governance-desk.example/ns/oscal"
PLACEHOLDER = "00000000-0000-5000-8000-000000000000"
# What an exception's state is as a risk, and the kinds of entries in its log.
RISK_STATUS = {
    "pending": "deviation-requested",
    "approved": "deviation-approved",
    "rejected": "open",
    "expired": "open",
}
Json = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """What both documents rest on: whose, which period, and the bundle's files that they refer to."""

    tenant_id: str
    tenant_name: str
    title: str
    start: str
    cut: str
    files: Sequence[BundleFile]


def ident(*parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


def assessment_results(frame: Frame, assessment: Assessment, exceptions: Iterable[Mapping[str, Any]]) -> Json:
    """The document {"assessment-results": …}: an observation a policy, a finding an assessed control, a risk an
    exception. A control that was not assessed has no finding: its absence is no pass."""
    told = list(exceptions)
    results = [_result(frame, one, assessment, told) for one in assessment.judged] or [_nothing(frame)]
    document: Json = {
        "uuid": PLACEHOLDER,
        "metadata": _metadata(frame, f"Assessment results: {frame.title}"),
        "import-ap": {"href": f"#{ident(frame.tenant_id, 'plan')}"},
        "results": results,
        "back-matter": {"resources": _resources(frame)},
    }
    return {"assessment-results": _identified(document)}


def plan_of_action(frame: Frame, assessment: Assessment, exceptions: Iterable[Mapping[str, Any]]) -> Json:
    """The document {"plan-of-action-and-milestones": …}: an item for each policy that fails, a risk and an item for
    each exception asked for or in force."""
    told = [e for e in exceptions if e["status"] in ("pending", "approved")]
    failing = [v for v in assessment.verdicts.values() if v.failing]
    observations = [_observation(frame, v, assessment.names) for v in failing]
    items = [_failing_item(frame, v, assessment) for v in failing]
    items += [_excepted_item(frame, e) for e in told]
    document: Json = {
        "uuid": PLACEHOLDER,
        "metadata": _metadata(frame, f"Plan of action and milestones: {frame.title}"),
        "system-id": {"identifier-type": "https://ietf.org/rfc/rfc4122", "id": frame.tenant_id},
        **_listed("observations", observations),
        **_listed("risks", [_risk(frame, e) for e in told]),
        "poam-items": items or [_no_item(frame)],
        "back-matter": {"resources": _resources(frame)},
    }
    return {"plan-of-action-and-milestones": _identified(document)}


def _identified(document: Json) -> Json:
    content = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {**document, "uuid": ident("document", hashlib.sha256(content.encode()).hexdigest())}


def _listed(name: str, values: list[Json]) -> Json:
    """OSCAL takes no empty list."""
    return {name: values} if values else {}


def _metadata(frame: Frame, title: str) -> Json:
    party = ident(frame.tenant_id, "party")
    return {
        "title": title,
        "last-modified": frame.cut,
        "version": frame.cut,
        "oscal-version": OSCAL_VERSION,
        "parties": [{"uuid": party, "type": "organization", "name": frame.tenant_name}],
    }


def _prop(name: str, value: Any) -> Json:
    return {"name": name, "ns": OUR_NS, "value": str(value)}


def _result(frame: Frame, one: Judged, assessment: Assessment, exceptions: list[Mapping[str, Any]]) -> Json:
    assessed = [(c, p) for c, p in one.controls if p.state != NOT_ASSESSED]
    verdicts = {v.policy_id: v for _, posture in assessed for v in posture.verdicts}
    risks = [e for e in exceptions if _concerns(e, set(verdicts))]
    counts = [_prop(f"controls-{state.replace('_', '-')}", n) for state, n in sorted(one.counts().items())]
    reviewed: Json = {"remarks": "Controls that were not assessed are in controls.csv, with the reason."}
    selection: Json = {"include-controls": [{"control-id": c.code} for c, _ in assessed]}
    if not assessed:
        selection = {"description": "No control was assessed."}
    return {
        "uuid": ident(frame.tenant_id, frame.cut, "result", one.framework.key),
        "title": f"{one.framework.title} {one.framework.version}".strip(),
        "description": f"The controls of {one.framework.title} as of {frame.cut}, told from recorded evaluations.",
        "start": frame.start,
        "end": frame.cut,
        "props": [_prop("framework", one.framework.key), *counts],
        "reviewed-controls": {
            "control-selections": [selection or {"description": "No control was assessed."}],
            **reviewed,
        },
        **_listed("observations", [_observation(frame, v, assessment.names) for v in verdicts.values()]),
        **_listed("risks", [_risk(frame, e) for e in risks]),
        **_listed("findings", [_finding(frame, one, c, p, risks) for c, p in assessed]),
    }


def _nothing(frame: Frame) -> Json:
    return {
        "uuid": ident(frame.tenant_id, frame.cut, "result", ""),
        "title": "No framework",
        "description": "No framework was in force at the cut.",
        "start": frame.start,
        "end": frame.cut,
        "reviewed-controls": {"control-selections": [{"description": "No control was assessed."}]},
    }


def _concerns(exception: Mapping[str, Any], policies: set[str]) -> bool:
    return exception["policy_id"] is None or exception["policy_id"] in policies


def _observation(frame: Frame, verdict: PolicyVerdict, names: Mapping[str, str]) -> Json:
    name = names.get(verdict.policy_id, verdict.policy_id)
    counts = (
        ("resources-evaluated", verdict.evaluated), ("resources-failing", verdict.failing),
        ("resources-excepted", verdict.excepted), ("resources-undecided", verdict.undecided),
    )  # fmt: skip
    return {
        "uuid": ident(frame.tenant_id, frame.cut, "observation", verdict.policy_id),
        "title": name,
        "description": f"{name}: {verdict.evaluated} resources evaluated, {verdict.failing} failing, "
        f"{verdict.excepted} under an exception, {verdict.undecided} without an answer.",
        "props": [
            _prop("policy", verdict.policy_id),
            _prop("state", verdict.state),
            *(_prop(n, v) for n, v in counts),
        ],
        "methods": ["TEST"],
        "collected": frame.cut,
    }


def _finding(
    frame: Frame, one: Judged, control: Any, posture: Any, exceptions: list[Mapping[str, Any]]
) -> Json:
    served = {v.policy_id for v in posture.verdicts}
    status: Json = {"state": "satisfied" if posture.state == "satisfied" else "not-satisfied"}
    if posture.state == "excepted":
        status["reason"] = "other"
        status["remarks"] = "Every failure is under an exception that was in force; it is no pass."
    elif posture.state == "not_satisfied":
        status["reason"] = "fail"
    else:
        status["reason"] = "pass"
    risks = [
        {"risk-uuid": ident(frame.tenant_id, "risk", str(e["exception_id"]))}
        for e in exceptions
        if _concerns(e, served)
    ]
    return {
        "uuid": ident(frame.tenant_id, frame.cut, "finding", one.framework.key, control.code),
        "title": str(control),
        "description": f"{posture.checks} checks over {posture.resources} resources: {posture.failing} failing, "
        f"{posture.excepted} under an exception.",
        "props": [
            _prop("state", posture.state),
            _prop("resources", posture.resources),
            _prop("checks", posture.checks),
        ],
        "target": {"type": "objective-id", "target-id": control.code, "status": status},
        "related-observations": [
            {"observation-uuid": ident(frame.tenant_id, frame.cut, "observation", policy)}
            for policy in sorted(served)
        ],
        **_listed("related-risks", risks),
    }


def _risk(frame: Frame, exception: Mapping[str, Any]) -> Json:
    key = str(exception["exception_id"])
    subject = (
        f"{exception['policy_name'] or 'Every policy'} on {exception['resource_name'] or 'every resource'}"
    )
    risk: Json = {
        "uuid": ident(frame.tenant_id, "risk", key),
        "title": f"Exception: {subject}"[:1000],
        "description": f"Leave to break a policy: {subject}.",
        "statement": exception["reason"],
        "props": [_prop("exception", key), _prop("subject-sha256", exception["subject_sha256"] or "none")],
        "status": RISK_STATUS.get(exception["status"], "open"),
    }
    if exception["expires_at"] is not None:
        risk["deadline"] = utc(exception["expires_at"])
    risk["risk-log"] = {"entries": _log(frame, exception)}
    return risk


def _log(frame: Frame, exception: Mapping[str, Any]) -> list[Json]:
    key = str(exception["exception_id"])
    entries = [
        _entry(frame, key, "dr-submission", exception["requested_at"], "Asked for", exception["reason"])
    ]
    if exception["decision"]:
        kind = f"dr-{exception['decision']}"
        told = exception["decision_reason"] or "No reason was given."
        entries.append(
            _entry(frame, key, kind, exception["decided_at"], exception["decision"].capitalize(), told)
        )
    return entries


def _entry(frame: Frame, key: str, kind: str, at: Any, title: str, told: str) -> Json:
    return {
        "uuid": ident(frame.tenant_id, "entry", key, kind),
        "title": title,
        "description": told,
        "start": utc(at),
        "props": [{"name": "type", "value": kind}],
    }


def _failing_item(frame: Frame, verdict: PolicyVerdict, assessment: Assessment) -> Json:
    name = assessment.names.get(verdict.policy_id, verdict.policy_id)
    served = sorted(
        f"{one.framework.key}:{c.code}"
        for one in assessment.judged
        for c, p in one.controls
        if any(v.policy_id == verdict.policy_id for v in p.verdicts)
    )
    return {
        "uuid": ident(frame.tenant_id, frame.cut, "item", verdict.policy_id),
        "title": name,
        "description": f"{verdict.failing} of {verdict.evaluated} resources fail. Controls: {', '.join(served)}.",
        "props": [_prop("policy", verdict.policy_id)],
        "related-observations": [
            {"observation-uuid": ident(frame.tenant_id, frame.cut, "observation", verdict.policy_id)}
        ],
    }


def _excepted_item(frame: Frame, exception: Mapping[str, Any]) -> Json:
    key = str(exception["exception_id"])
    return {
        "uuid": ident(frame.tenant_id, "item", key),
        "title": f"Exception, {exception['status']}",
        "description": exception["reason"],
        "related-risks": [{"risk-uuid": ident(frame.tenant_id, "risk", key)}],
    }


def _no_item(frame: Frame) -> Json:
    return {
        "uuid": ident(frame.tenant_id, frame.cut, "item"),
        "title": "Nothing to remedy",
        "description": "No policy that serves a control failed at the cut, and no exception was asked for or in force.",
    }


def _resources(frame: Frame) -> list[Json]:
    """The plan (the bundle's guide) and the tables, each with its hash."""
    return [
        {
            "uuid": ident(frame.tenant_id, "plan")
            if file.path == "README.txt"
            else ident(frame.cut, "file", file.path),
            "title": file.path,
            "rlinks": [
                {
                    "href": f"../{file.path}",
                    "media-type": file.media_type,
                    "hashes": [{"algorithm": "SHA-256", "value": file.sha256}],
                }
            ],
        }
        for file in sorted(frame.files, key=lambda file: file.path)
    ]
