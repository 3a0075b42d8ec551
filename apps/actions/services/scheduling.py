"""The one job that moves an action on."""

from __future__ import annotations

from apps.core.db.fields import TransactionNow
from apps.core.ids import new_id
from apps.jobs.models import QUEUED, Job
from apps.jobs.services import enqueue

from ..models import Action

JOB_TYPE = "actions.execute"
QUEUE = "actions.execute"


def schedule(action: Action, *, send: bool = True) -> Job:
    """Give the action a new job, in the open transaction; only this job may move it on from now."""
    key = f"action:{action.pk}:{new_id()}"
    job = enqueue(JOB_TYPE, {"action": str(action.pk)}, idempotency_key=key, send=send)
    Action.objects.filter(pk=action.pk).update(job_id=job.pk)
    action.job_id = job.pk
    return job


def hasten(action: Action) -> None:
    """Let a job that waits for better times run at once."""
    if action.job_id is not None:
        Job.objects.filter(pk=action.job_id, status=QUEUED).update(not_before=TransactionNow(), sent_at=None)
