"""The catalog's kinds of jobs: imports."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from apps.core.context import current_tenant_id, tenant_transaction
from apps.jobs.registry import JobKind, register_job, register_sweep
from apps.jobs.running import JobHandle

from .models import ImportRun
from .services import import_inventory, import_policies
from .services.discoveries import JOB_TYPE, ask_for_scan, note_end, start_due_discoveries
from .services.discovery import discover
from .sources import discard_source, open_source

Importer = Callable[..., ImportRun]


def run_import(importer: Importer, handle: JobHandle) -> Mapping[str, Any]:
    """An import as a job: opens the job's source, keeps the counts, and discards what was staged."""
    run = _ended_run(handle)
    if run is None:
        with open_source(handle.params) as source:
            run = importer(
                source=source,
                name=str(handle.params.get("name") or handle.params.get("path", "")),
                format=handle.params.get("format") or None,
                progress=handle,
            )
    discard_source(handle.params)
    return {
        "import_run": str(run.pk),
        "read": run.rows_read,
        "written": run.rows_written,
        "unchanged": run.rows_unchanged,
        "refused": run.rows_refused,
        **run.summary,
    }


def _ended_run(handle: JobHandle) -> ImportRun | None:
    """The run that an earlier attempt ended before it died: its staged file may be gone already."""
    with tenant_transaction(current_tenant_id()):
        return ImportRun.objects.filter(job_id=handle.job_id, status="succeeded").first()


def _discover(handle: JobHandle) -> Mapping[str, Any]:
    result = discover(account_id=uuid.UUID(handle.params["account_id"]), progress=handle)
    if result["written"] or result["gone"]:
        with tenant_transaction(current_tenant_id()):
            ask_for_scan()
    return result


def register() -> None:
    register_job(JobKind(type=JOB_TYPE, queue="jobs", title="Discovery", run=_discover, finished=note_end))
    register_sweep("discoveries", start_due_discoveries)
    for type_, title, importer in (
        ("inventory.import", "Inventory import", import_inventory),
        ("policies.import", "Policy import", import_policies),
    ):
        register_job(JobKind(type=type_, queue="jobs", title=title, run=partial(run_import, importer)))
