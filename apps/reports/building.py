"""The job that builds a report: read as of the cut, write to disk, store under its hash. No transaction is
held for longer than one batch of rows, and none while the object store is written to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.urls import reverse

from apps.catalog.models_frameworks import RETENTION_YEARS
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import NotFound
from apps.core.states import transition
from apps.evidence.keys import report_key
from apps.evidence.store import put_artifact
from apps.jobs.models import SUCCEEDED, Job
from apps.jobs.running import JobHandle
from apps.notices.services import notify
from apps.tenancy.models import Tenant

from .bundle import write_guide, write_manifest, zip_folder
from .content import Content, Progress
from .controls import assess
from .documents import document_data, write_documents, write_oscal
from .models import Report
from .oscal import Frame
from .period import Period
from .receipt import write_receipt
from .sample import SIZE
from .scope import ReportScope
from .sections.section import utc
from .settling import settle
from .states import REPORT_MACHINE
from .tables import BundleFile

JOB_TYPE = "report.build"
MEDIA_TYPE = "application/zip"


def build_report(handle: JobHandle) -> Mapping[str, Any]:
    """Build and store the report that params["report_id"] names; returns what the row is to keep.

    Idempotent: a repeated attempt reads as of the same cut, and the same bytes are stored once.
    """
    report, head = _begin(handle)
    period = period_of(report)
    settle(period.cut, handle)
    with tempfile.TemporaryDirectory(prefix="governance-report-") as folder:
        bundle = Path(folder) / bundle_name(report)

        def receive(folder: Path, manifest: BundleFile) -> list[BundleFile]:
            return write_receipt(folder, report, period, manifest, lambda note: handle.checkpoint(note=note))

        written = write_bundle(bundle, period, head, handle.checkpoint, receive)
        handle.checkpoint()
        # Kept as the evidence that it tells of: by its framework's class, by the longest without one.
        years = report.framework.retention_years if report.framework else max(RETENTION_YEARS)
        until = (report.created_at + timedelta(days=365 * years)).replace(microsecond=0)
        artifact = put_artifact(report_key(report.pk, bundle.name), bundle, MEDIA_TYPE, retain_until=until)
    return {"report": str(report.pk), "artifact": artifact.as_manifest(), **asdict(written)}


@dataclass(frozen=True)
class Written:
    """What a bundle holds: rows by section, its files, and the hash of the manifest that names them."""

    counts: dict[str, int]
    files: list[BundleFile]
    manifest_sha256: str


def write_bundle(
    target: Path,
    period: Period,
    head: Mapping[str, Any],
    progress: Progress,
    receive: Callable[[Path, BundleFile], list[BundleFile]] = lambda folder, manifest: [],
) -> Written:
    """Write the bundle to `target`; its files lie in a folder beside it. `receive` gives the receipt's files for
    the manifest, which they are no part of."""
    folder = target.parent / "content"
    folder.mkdir()
    tenant = head["tenant"]
    framework_id = UUID(head["framework"]["id"]) if head["framework"] else None
    assessment = assess(period, framework_id)
    if framework_id is not None:
        period = replace(period, policies=tuple(sorted(assessment.verdicts)))
    content = Content(folder, period, assessment, head["sample_seed"], progress)
    content.write()
    guide = {
        "tenant": f"{tenant['name']} ({tenant['id']})",
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "cut": utc(period.cut),
        "scope": period.scope.words(),
        "sample_size": str(SIZE),
    }
    files = [*content.files, *write_guide(folder, guide)]
    frame = Frame(
        tenant_id=tenant["id"],
        tenant_name=tenant["name"],
        title=f"{tenant['name']}, {period.first} to {period.last}",
        start=utc(period.start),
        cut=utc(period.cut),
        files=tuple(files),
    )
    files += write_oscal(folder, frame, assessment, content.exceptions)
    files += write_documents(folder, document_data(head, period, content, assessment))
    manifest = write_manifest(folder, head, files)
    receipt = receive(folder, manifest)
    zip_folder(folder, [*files, manifest, *receipt], target)
    return Written(content.counts, files, manifest.sha256)


def finish_report(job: Job) -> None:
    """The `finished` hook: the row ends as its job did, in the same transaction."""
    report = Report.objects.filter(job_id=job.pk).first()
    if report is None or report.status not in REPORT_MACHINE.transitions:
        return
    if job.status != SUCCEEDED:
        changes = {"error": job.error, "finished_at": TransactionNow()}
        transition(REPORT_MACHINE, report, job.status, changes=changes, payload={"error": job.error})
        return
    result = job.result or {}
    artifact = result["artifact"]
    transition(
        REPORT_MACHINE,
        report,
        SUCCEEDED,
        changes={
            "object_key": artifact["path"],
            "version_id": artifact["version_id"],
            "sha256": artifact["sha256"],
            "size": artifact["size"],
            "manifest": {**report.manifest, **result},
            "error": "",
            "finished_at": TransactionNow(),
        },
        payload={name: artifact[name] for name in ("path", "version_id", "sha256", "size")}
        | {"manifest_sha256": result["manifest_sha256"], "counts": result["counts"]},
    )
    _tell_ready(report)


def _tell_ready(report: Report) -> None:
    if report.requested_by_id is None:
        return
    notify(
        code="reports.ready",
        title=f"The evidence report of {report.period_from} to {report.period_to} is ready",
        text=f"It can be downloaded. SHA-256 of the bundle: {report.sha256}",
        path=reverse("reports:report-detail", args=[report.pk]),
        users=[report.requested_by_id],
        payload={"report_id": str(report.pk), "sha256": report.sha256},
        key=str(report.pk),
    )


def period_of(report: Report) -> Period:
    return Period(
        report.period_from,
        report.period_to,
        datetime.fromisoformat(report.manifest["as_of"]),
        scope=ReportScope.of(report.scope),
    )


def bundle_name(report: Report) -> str:
    return f"evidence-{report.period_from}-{report.period_to}.zip"


def _begin(handle: JobHandle) -> tuple[Report, dict[str, Any]]:
    """The report, running from now on, and the head of its manifest."""
    with tenant_transaction(current_tenant_id()):
        report = Report.objects.filter(pk=handle.params["report_id"]).first()
        if report is None:
            raise NotFound("The report that this job is for is not there.")
        if report.status == "queued":
            transition(REPORT_MACHINE, report, "running")
        tenant = Tenant.objects.get(pk=handle.tenant_id)
        period = period_of(report)
        framework = report.framework
        return report, {
            "tenant": {"id": str(tenant.pk), "slug": tenant.slug, "name": tenant.name},
            "period": {"from": report.period_from.isoformat(), "to": report.period_to.isoformat()},
            "cut": utc(period.cut),
            "scope": report.scope,
            "framework": framework
            and {"id": str(framework.pk), "key": framework.key, "title": framework.title},
            "sample_seed": f"{tenant.pk}:{utc(period.cut)}",
            "generated_for": handle.requested_by,
        }
