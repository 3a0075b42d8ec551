"""The report for people: report.html and report.pdf, both of the same data, and the OSCAL documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import typst
from django.template.loader import render_to_string

from .bundle import write_text
from .content import STATUSES, Content
from .controls import Assessment, Judged
from .oscal import Frame, assessment_results, plan_of_action
from .period import Period
from .sections.section import utc
from .tables import HTML, JSON, PDF, BundleFile, json_text

SEVERITIES = ("critical", "high", "medium", "low")
LISTED_EXCEPTIONS = 200
STATE_WORDS = {"not_satisfied": "not satisfied", "not_assessed": "not assessed"}


def write_oscal(
    folder: Path, frame: Frame, assessment: Assessment, exceptions: Sequence[Any]
) -> list[BundleFile]:
    documents = (
        ("oscal/assessment-results.json", assessment_results(frame, assessment, exceptions)),
        ("oscal/poam.json", plan_of_action(frame, assessment, exceptions)),
    )
    return [write_text(folder, path, json_text(found, indent=2) + "\n", JSON) for path, found in documents]


def write_documents(folder: Path, data: Mapping[str, Any]) -> list[BundleFile]:
    """report.html and report.pdf (PDF/A-2b) of `data`, as `document_data` gives it."""
    page = render_to_string("reports/bundle/report.html", dict(data))
    return [write_text(folder, "report.html", page, HTML), _write_pdf(folder, data)]


def _write_pdf(folder: Path, data: Mapping[str, Any]) -> BundleFile:
    """The data goes in as JSON, never as typst; only typst's own fonts are used, so every machine gives the same."""
    source = resources.files("apps.reports") / "bundle_files" / "report.typ"
    with resources.as_file(source) as template:
        raw = typst.compile(
            str(template),
            sys_inputs={"data": json.dumps(data, sort_keys=True)},
            pdf_standards=["a-2b"],
            ignore_system_fonts=True,
        )
    (folder / "report.pdf").write_bytes(raw)
    return BundleFile("report.pdf", hashlib.sha256(raw).hexdigest(), len(raw), PDF)


def document_data(
    head: Mapping[str, Any], period: Period, content: Content, assessment: Assessment
) -> dict[str, Any]:
    """What both documents tell, as text and whole numbers."""
    cut = period.cut.astimezone(UTC)
    tenant = head["tenant"]["name"]
    scope = ", ".join(one.framework.title for one in assessment.judged) or "no framework"
    told = content.summary["violations"]["as_of_cut"]
    return {
        "title": f"Evidence report, {period.first} to {period.last}",
        "author": tenant,
        "lead": f"What {tenant} was held to and what was found, as of {_minute(cut)}.",
        "cut_date": [cut.year, cut.month, cut.day, cut.hour, cut.minute, cut.second],
        "facts": [
            ["Tenant", f"{tenant} ({head['tenant']['id']})"],
            ["Period", f"{period.first} to {period.last}, whole days in UTC"],
            ["As of", utc(period.cut)],
            ["Frameworks", scope],
            ["Of", period.scope.words()],
            ["Asked for by", str(head["generated_for"])],
        ],
        "summary": _summary(content),
        "violations": [
            {"severity": s} | {status: told[status].get(s, 0) for status in STATUSES} for s in SEVERITIES
        ],
        "frameworks": [_framework(one) for one in assessment.judged],
        "exceptions": [_exception(row) for row in content.exceptions[:LISTED_EXCEPTIONS]],
        "exceptions_left_out": max(len(content.exceptions) - LISTED_EXCEPTIONS, 0),
        "basis": [
            " ".join(paragraph.split())
            for paragraph in (*BASIS, *([WHOLE_ESTATE] if period.scope.narrows_resources else []))
        ],
    }


BASIS = (
    """Statuses, times, severities and decisions are told from records that are only ever added to, up to the cut
    and not including it. A control counts as satisfied only if every policy that serves it has been evaluated as
    it stood, over at least one resource, and none had a violation. What was not evaluated is told as not assessed.""",
    "An excepted violation breaks its policy and has leave to: it is never counted as passing.",
    """Every number here stands in the tables of the same bundle, whose hashes manifest.json holds; verify.py checks
    them offline.""",
)

WHOLE_ESTATE = """Violations, exceptions, actions and decisions are those of the named part of the estate, by the
    accounts and tags that resources had when this was built; controls are judged over the whole estate."""


def _summary(content: Content) -> list[str]:
    counts, changes = content.counts, content.summary["violations"]["in_period"]
    opened, again, fixed = (changes.get(f"times_{what}", 0) for what in ("opened", "reopened", "fixed"))
    lived = f"{counts['violations']:,} violations had a life in the period: {opened:,} were opened in it, "
    lived += f"{again:,} opened again, {fixed:,} fixed. The table has their state at the cut."
    rest = f"{counts['exceptions']:,} exceptions were asked for, decided or in force; {counts['actions']:,} actions "
    rest += f"were asked for or under way; {counts['audit']:,} audit rows were written."
    return [lived, rest]


def _framework(one: Judged) -> dict[str, Any]:
    counts = one.counts()
    shown = [(c, p) for c, p in one.controls if p.policies]
    return {
        "title": f"{one.framework.title} {one.framework.version}".strip(),
        "told": f"{len(one.controls)} controls: {counts.get('satisfied', 0)} satisfied, "
        f"{counts.get('not_satisfied', 0)} not satisfied, {counts.get('excepted', 0)} excepted, "
        f"{counts.get('not_assessed', 0)} not assessed.",
        "left_out": len(one.controls) - len(shown),
        "controls": [
            {
                "label": c.label,
                "title": c.title + (f" ({p.reason})" if p.reason else ""),
                "state": STATE_WORDS.get(p.state, p.state),
                "resources": p.resources,
                "failing": p.failing,
                "excepted": p.excepted,
            }
            for c, p in shown
        ],
    }


def _exception(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "subject": f"{row['policy_name'] or 'Every policy'} on {row['resource_name'] or 'every resource'}",
        "reason": row["reason"],
        "status": row["status"],
        "requested_by": row["requested_by_upn"] or str(row["requested_by"] or "nobody"),
        "decided_by": row["decided_by_upn"] or str(row["decided_by"] or "nobody yet"),
        "expires": str(row["expires_at"].astimezone(UTC).date()) if row["expires_at"] else "no end",
    }


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
