"""Asking for work, cancelling it, and sending what is due. The row is written first; messages are hints."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.db import connection, transaction
from django.db.models import Q
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from apps.core.context import Actor, current, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.envelope import Envelope
from apps.core.errors import StaleState
from apps.core.ids import new_id
from apps.core.recording import record
from apps.core.states import transition

from .models import CANCELLED, FAILED, FINISHED, QUEUED, RUNNING, Job
from .registry import job_kind, listeners
from .states import JOB_MACHINE

log = logging.getLogger(__name__)

# A message that nobody took in this time is taken for lost and sent again.
QUIET = timedelta(seconds=10)
BATCH = 500


def enqueue(
    type_: str,
    params: Mapping[str, Any] | None = None,
    *,
    idempotency_key: str | None = None,
    send: bool = True,
) -> Job:
    """Write the job's row and, when the transaction commits, send its message.

    With the same `idempotency_key` the first job is given back, whatever became of it. `send=False` leaves
    it to the caller to run the job in this process.
    """
    kind = job_kind(type_)
    job = Job(
        type=type_,
        queue=kind.queue,
        params=dict(params or {}),
        idempotency_key=idempotency_key or str(new_id()),
        status=QUEUED,
        created_by=str(current().actor),
    )
    with transaction.atomic():
        created = (
            Job.objects.bulk_create([job], ignore_conflicts=True) and Job.objects.filter(pk=job.pk).exists()
        )
        job = Job.objects.get(idempotency_key=job.idempotency_key)
        if not created:
            return job
        record("jobs.job.requested", job, {"type": type_, "params": job.params})
        if send:
            Job.objects.filter(pk=job.pk).update(sent_at=TransactionNow())
            transaction.on_commit(partial(send_message, job), robust=True)
    return job


def cancel_job(*, job_id: uuid.UUID) -> Job:
    """Ask a job to stop. A queued one ends at once; a running one at its next checkpoint."""
    with transaction.atomic():
        job = Job.objects.get(pk=job_id)
        if job.status in FINISHED:
            raise StaleState(f"This job is already {job.status}.")
        if job.status == QUEUED:
            finish(job, CANCELLED, error="Cancelled before it began.")
        else:
            Job.objects.filter(pk=job.pk, status=RUNNING).update(cancel_requested=True)
            record("jobs.job.cancel_requested", job, {"type": job.type})
            job.cancel_requested = True
    return job


def finish(
    job: Job,
    to_state: str,
    *,
    result: Mapping[str, Any] | None = None,
    error: str = "",
    guard: Q | None = None,
) -> None:
    """End a job and let its room mark its own row, in one transaction."""
    with transaction.atomic():
        transition(
            JOB_MACHINE,
            job,
            to_state,
            guard=guard,
            changes={
                "result": dict(result) if result is not None else None,
                "error": error,
                "finished_at": TransactionNow(),
                "lease_until": None,
                "lease_token": None,
            },
            payload={"type": job.type, **({"error": error} if error else {})},
        )
        finished = job_kind(job.type).finished
        if finished is not None:
            finished(job)
        for listener in listeners():
            listener(job)


def envelope_of(job: Job) -> Envelope:
    return Envelope(
        id=str(job.pk),
        tenant_id=str(job.tenant_id),
        type=job.type,
        params=job.params,
        idempotency_key=job.idempotency_key,
        created_at=job.created_at.isoformat(),
    )


def send_message(job: Job) -> bool:
    """Send the hint; False where the broker is away, which loses nothing: the dispatcher sends again."""
    try:
        current_app.send_task(job.queue, args=[envelope_of(job).as_message()], queue=job.queue, retry=False)
    except (BrokerError, RedisError, OSError) as error:
        log.warning("The broker did not take job %s: %s", job.pk, error)
        return False
    return True


def dispatch_due(limit: int = BATCH) -> int:
    """Send what the rows of all tenants say is due; returns how many messages were sent."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id, tenant_id FROM jobs_due(%s::interval, %s)", [str(QUIET), limit])
        due = cursor.fetchall()
    sent = 0
    for job_id, tenant_id in due:
        with tenant_transaction(tenant_id, Actor.system("dispatcher")):
            job = _take_for_sending(job_id)
        if job is not None and send_message(job):
            sent += 1
    return sent


def _take_for_sending(job_id: uuid.UUID) -> Job | None:
    """Mark a due job as sent; None where another dispatcher was first, or where it is given up."""
    quiet = Q(sent_at__isnull=True) | Q(sent_at__lt=TransactionNow() - QUIET)
    job = Job.objects.filter(pk=job_id, status__in=[QUEUED, RUNNING]).first()
    if job is None:
        return None
    if job.status == RUNNING and job.attempts >= job.max_attempts:
        _give_up(job)
        return None
    marked = Job.objects.filter(quiet, pk=job_id, status=job.status).update(sent_at=TransactionNow())
    return job if marked else None


def _give_up(job: Job) -> None:
    why = f"Given up: {job.attempts} attempts ended without a word, the last worker died or was stopped."
    try:
        finish(job, FAILED, error=why, guard=Q(lease_until__lt=TransactionNow()))
    except StaleState:
        log.info("Job %s was taken up again before it was given up", job.pk)
