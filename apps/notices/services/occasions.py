"""Occasions of the rooms below, which can't call us: a job that failed tells who asked for it."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from apps.core.errors import InvalidInput
from apps.jobs.models import FAILED, Job
from apps.jobs.registry import job_kind
from apps.tenancy.models import ApiToken

from .notifying import JOB_TYPE, notify


def tell_of_failed_job(job: Job) -> None:
    """Called in the transaction that ends a job. A failed delivery tells nobody: that would never end."""
    if job.status != FAILED or job.type == JOB_TYPE:
        return
    asker = _person(job.created_by)
    if asker is None:
        return
    title = _title(job)
    notify(
        code="jobs.failed",
        title=f"{title} failed",
        text=f"{title}, which you asked for, failed: {job.error or 'no reason was kept'}",
        path=reverse("jobs:job-detail", args=[job.pk]),
        users=[asker],
        payload={"job_id": str(job.pk), "type": job.type, "error": job.error},
        key=str(job.pk),
    )


def _title(job: Job) -> str:
    try:
        return job_kind(job.type).title
    except InvalidInput:
        return job.type


def _person(actor: str) -> UUID | None:
    kind, _, ident = actor.partition(":")
    try:
        found = UUID(ident)
    except ValueError:
        return None
    if kind == "token":
        return ApiToken.objects.filter(pk=found).values_list("user_id", flat=True).first()
    return found if kind == "user" else None
