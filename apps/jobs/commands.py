"""Commands that do what a job does: in this process by the same claim, or only enqueued with `--queue`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import GovernanceError

from .models import QUEUED, SUCCEEDED, Job
from .running import run_job
from .services import enqueue


def add_queue_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--queue", action="store_true", help="only enqueue it; a worker does the work")


def run_as_job(type_: str, params: Mapping[str, Any], *, queue: bool) -> dict[str, Any]:
    """Do the work of a job of the context's tenant and return its result; `failed` is True where it failed."""
    with transaction.atomic():
        job = enqueue(type_, params, send=queue)
    if queue:
        return {"job": str(job.pk), "status": QUEUED}
    return result_of(run_here(job))


def run_here(job: Job) -> Job:
    """Claim and run a job in this process; a retry that it asks for is left to the workers."""
    if run_job(current_tenant_id(), job.pk) is None:
        raise GovernanceError(f"Job {job.pk} is held by a worker.")
    with tenant_transaction(current_tenant_id()):
        job.refresh_from_db()
    return job


def result_of(job: Job) -> dict[str, Any]:
    result: dict[str, Any] = {"job": str(job.pk), "status": job.status, **(job.result or {})}
    if job.status != SUCCEEDED:
        result |= {"failed": True, "error": job.error}
    return result
