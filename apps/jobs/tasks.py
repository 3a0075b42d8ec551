"""Celery's side of the jobs: a task for each queue, named as the queue, with one argument, the envelope."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from django.db import connection, transaction

from apps.core.context import Actor, tenant_transaction
from apps.core.envelope import Envelope
from apps.core.errors import InvalidInput

from .registry import QUEUES, sweeps
from .running import run_job
from .services import dispatch_due

log = logging.getLogger(__name__)


class JobTask(Task):
    """Every queued task: it trusts the row, not the message, and acts in the message's tenant."""

    abstract = True
    acks_late = True
    reject_on_worker_lost = True
    ignore_result = True

    def run(self, message: Any) -> None:
        try:
            envelope = Envelope.from_message(message)
        except InvalidInput as error:
            log.error("Dropped a malformed message on %s: %s", self.name, error)
            return
        run_job(envelope.tenant, envelope.job_id)


def _task_for(queue: str) -> Any:
    def run(self: JobTask, message: Any) -> None:
        JobTask.run(self, message)

    return shared_task(run, bind=True, base=JobTask, name=queue)


QUEUE_TASKS = {queue: _task_for(queue) for queue in QUEUES}


@shared_task(name="jobs.dispatch", ignore_result=True)
def dispatch() -> int:
    return dispatch_due()


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> None:
    """Run every room's sweep for every tenant; one that fails doesn't stop its neighbours."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT active_tenant_ids()")
        tenants = [row[0] for row in cursor.fetchall()]
    for tenant_id in tenants:
        for name, mend in sweeps().items():
            try:
                with tenant_transaction(tenant_id, Actor.system("sweeper")):
                    mend()
            except Exception:
                log.exception("Sweep %s of tenant %s failed", name, tenant_id)
