"""Running a job: claim it in one transaction, work in short ones, record the end in another.

The claim is a compare-and-set with a lease by the database's clock. A heartbeat on a connection of its own
renews the lease while a long statement runs; whoever lost the lease stops at the next checkpoint and can't
record an end, for the end is guarded by the lease's token.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q

from apps.core.context import (
    Actor,
    Context,
    current,
    current_tenant_id,
    scope,
    tenant_scope,
    tenant_transaction,
)
from apps.core.db.fields import TransactionNow
from apps.core.errors import GovernanceError, StaleState

from .models import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, Job
from .registry import JobKind, job_kind
from .services import finish

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.JOB_LEASE_SECONDS)  # type: ignore[misc]  # settings read the environment
HEARTBEAT_SECONDS = LEASE.total_seconds() / 6
BACKOFF = (timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=5))


class JobCancelled(Exception):
    """Somebody asked the job to stop."""


class JobPostponed(Exception):
    """Nothing is wrong, but there is nothing to do yet: run again after `wait`, as if for the first time.

    `note` says in words what it waits for.
    """

    def __init__(self, wait: timedelta, note: str) -> None:
        super().__init__(note)
        self.wait, self.note = wait, note


class LeaseLost(Exception):
    """Another worker holds the job now: stop, and record nothing."""


class JobHandle:
    """What a handler sees of its job: its parameters, and how it tells where it stands."""

    def __init__(self, job: Job, token: uuid.UUID) -> None:
        self.job_id = job.pk
        self.tenant_id: uuid.UUID = current_tenant_id()
        self.params: Mapping[str, Any] = job.params
        self.attempt = job.attempts
        self.requested_by = job.created_by
        self._token = token

    def holds_lease(self) -> bool:
        """Whether this attempt is still the job's, asked in the open transaction; what it then records stands
        or falls with the answer."""
        mine = Job.objects.select_for_update().filter(pk=self.job_id, lease_token=self._token, status=RUNNING)
        return mine.exists()

    def checkpoint(self, done: int | None = None, total: int | None = None, note: str | None = None) -> None:
        """Renew the lease and show progress. Raises JobCancelled or LeaseLost. Not inside a transaction."""
        changes: dict[str, Any] = {"lease_until": TransactionNow() + LEASE}
        changes |= {"progress_done": done} if done is not None else {}
        changes |= {"progress_total": total} if total is not None else {}
        changes |= {"progress_note": note} if note is not None else {}
        with tenant_transaction(self.tenant_id):
            mine = Job.objects.filter(pk=self.job_id, lease_token=self._token, status=RUNNING)
            if not mine.update(**changes):
                raise LeaseLost
            if mine.filter(cancel_requested=True).exists():
                raise JobCancelled


class _Heartbeat(threading.Thread):
    def __init__(self, handle: JobHandle, context: Context) -> None:
        super().__init__(daemon=True, name=f"heartbeat-{handle.job_id}")
        self._handle, self._context, self._ended = handle, context, threading.Event()

    def run(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                with scope(self._context):
                    self._handle.checkpoint()
            except LeaseLost:
                return  # the handler learns it at its own next checkpoint
            except JobCancelled:
                continue  # the handler stops at its own next checkpoint; until then the job is still its
            except (DatabaseError, InterfaceError) as error:
                log.warning("Heartbeat of job %s failed: %s", self._handle.job_id, error)
            finally:
                connection.close()

    def stop(self) -> None:
        self._ended.set()
        self.join(timeout=10)


def run_job(tenant_id: uuid.UUID, job_id: uuid.UUID) -> Job | None:
    """Claim and run a job; None where it is not due (finished, or held by a living worker)."""
    with tenant_scope(tenant_id, Actor.system("worker"), request_id=f"job:{job_id}"):
        claimed = _claim(tenant_id, job_id)
        if claimed is None:
            return None
        job, token = claimed
        handle = JobHandle(job, token)
        heartbeat = _Heartbeat(handle, current())
        heartbeat.start()
        try:
            return _work(job_kind(job.type), job, handle, token)
        finally:
            heartbeat.stop()


def _claim(tenant_id: uuid.UUID, job_id: uuid.UUID) -> tuple[Job, uuid.UUID] | None:
    token = uuid.uuid4()
    due = Q(status=QUEUED, not_before__lte=TransactionNow()) | Q(
        status=RUNNING, lease_until__lt=TransactionNow()
    )
    with tenant_transaction(tenant_id):
        claimed = Job.objects.filter(due, pk=job_id, attempts__lt=F("max_attempts")).update(
            status=RUNNING,
            attempts=F("attempts") + 1,
            lease_token=token,
            lease_until=TransactionNow() + LEASE,
            started_at=TransactionNow(),
            error="",
        )
        return (Job.objects.get(pk=job_id), token) if claimed else None


def _work(kind: JobKind, job: Job, handle: JobHandle, token: uuid.UUID) -> Job | None:
    mine = Q(lease_token=token)
    try:
        handle.checkpoint()
        result = kind.run(handle)
        return _end(job, SUCCEEDED, mine, result=result or {})
    except LeaseLost:
        log.warning("Job %s: the lease went to another worker, this attempt ends", job.pk)
        return None
    except JobCancelled:
        return _end(job, CANCELLED, mine, error="Cancelled.")
    except JobPostponed as later:
        return _requeue(job, mine, later.wait, attempts=0, progress_note=later.note, error="")
    except GovernanceError as error:
        return _retry_or_fail(job, mine, str(error), retryable=error.retryable)
    except (OperationalError, InterfaceError, ConnectionError, TimeoutError) as error:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        log.warning("Job %s: %s", job.pk, error)
        return _retry_or_fail(job, mine, f"A server was away: {_first_line(error)}", retryable=True)
    except Exception as error:
        log.exception("Job %s of type %s failed", job.pk, job.type)
        return _end(job, FAILED, mine, error=f"{type(error).__name__}: {_first_line(error)}")


def _end(
    job: Job, state: str, guard: Q, *, result: Mapping[str, Any] | None = None, error: str = ""
) -> Job | None:
    with tenant_transaction(current_tenant_id()):
        job.refresh_from_db()
        try:
            finish(job, state, result=result, error=error, guard=guard)
        except StaleState:
            log.warning("Job %s: somebody else ended it", job.pk)
            return None
    return job


def _retry_or_fail(job: Job, guard: Q, error: str, *, retryable: bool) -> Job | None:
    if not retryable or job.attempts >= job.max_attempts:
        return _end(job, FAILED, guard, error=error)
    return _requeue(job, guard, BACKOFF[min(job.attempts, len(BACKOFF)) - 1], error=error)


def _requeue(job: Job, guard: Q, wait: timedelta, **changes: Any) -> Job:
    """Back to the queue, due after `wait`."""
    with tenant_transaction(current_tenant_id()), transaction.atomic():
        Job.objects.filter(guard, pk=job.pk, status=RUNNING).update(
            status=QUEUED,
            not_before=TransactionNow() + wait,
            sent_at=None,
            lease_token=None,
            lease_until=None,
            **changes,
        )
        job.refresh_from_db()
    return job


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:500]
