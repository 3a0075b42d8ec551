"""Asking for an evidence report, and fetching it."""

from __future__ import annotations

from datetime import date, datetime

from django.db import connection, transaction

from apps.audit.services import record
from apps.catalog.models import Framework
from apps.core.context import current, current_tenant_id, tenant_transaction
from apps.core.errors import StaleState
from apps.core.ids import new_id
from apps.evidence.errors import ChecksumMismatch
from apps.evidence.store import download_url
from apps.jobs.models import SUCCEEDED
from apps.jobs.services import enqueue

from .building import JOB_TYPE, bundle_name
from .models import Report
from .period import checked_period
from .scope import checked_scope


def request_report(
    *,
    period_from: date,
    period_to: date,
    framework: Framework | None = None,
    account: str = "",
    policy: str = "",
    tag: str = "",
    send: bool = True,
) -> Report:
    """Ask for the report of a period, whole days in UTC, both included; a job builds it.

    On one framework it tells the violations of the policies that serve it; without one, all. `account`, `policy` (its
    id) and `tag` (key=value) narrow it to a part of the estate. It tells what happened up to now at most. Raises
    InvalidInput naming `period_from`, `period_to`, `account`, `policy` or `tag`.
    `send=False` leaves it to the caller to run the job.
    """
    with transaction.atomic():
        now = _database_now()
        checked_period(period_from, period_to, now)
        scope = checked_scope(account=account, policy=policy, tag=tag).as_dict()
        report_id = new_id()
        job = enqueue(
            JOB_TYPE, {"report_id": str(report_id)}, idempotency_key=f"report:{report_id}", send=send
        )
        report = Report(
            id=report_id,
            period_from=period_from,
            period_to=period_to,
            status="queued",
            job_id=job.pk,
            requested_by_id=current().actor.user_id,
            manifest={"as_of": now.isoformat()},
            framework=framework,
            scope=scope,
        )
        report.save(force_insert=True)
        period = {"from": period_from.isoformat(), "to": period_to.isoformat()}
        told = {
            "period": period,
            "framework": framework and framework.key,
            "scope": scope,
            "job": str(job.pk),
        }
        record("reports.report.requested", report, told)
        report.refresh_from_db()
    return report


def report_download_url(*, report: Report) -> str:
    """A URL that fetches the finished bundle for two minutes; its bytes are hashed first, the export recorded.

    Call it outside a transaction. Raises StaleState for a report that is not finished, ChecksumMismatch (and
    records it) where the stored bytes are no longer those that were written, StoreAway, StoreDenied.
    """
    if report.status != SUCCEEDED:
        raise StaleState(f"This report is {report.status}: there is nothing to download.")
    told = {"sha256": report.sha256, "version_id": report.version_id}
    try:
        url = download_url(report.object_key, report.version_id, bundle_name(report), report.sha256)
    except ChecksumMismatch as error:
        with tenant_transaction(current_tenant_id()):
            record("reports.report.checksum_failed", report, {**told, "error": str(error)})
        raise
    with tenant_transaction(current_tenant_id()):
        record("reports.report.downloaded", report, told)
    return url


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now: datetime = cursor.fetchone()[0]
    return now
