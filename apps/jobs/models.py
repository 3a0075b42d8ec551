"""One table of jobs. The row is the truth; a message on Redis is only a hint that it is due."""

from __future__ import annotations

from django.db import models

from apps.core.db.checks import one_of
from apps.core.db.fields import TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = "queued", "running", "succeeded", "failed", "cancelled"
STATES = (QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED)
FINISHED = (SUCCEEDED, FAILED, CANCELLED)


class Job(TenantModel):
    """A piece of queued work: lease, attempts, progress, cancel, result or a stated failure.

    `type` names the handler, `queue` the Celery queue. While it runs, `lease_token` names the attempt that
    holds it until `lease_until` (the database's clock); an expired lease may be taken over.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    type = models.TextField()
    queue = models.TextField()
    params = models.JSONField(db_default={})
    idempotency_key = models.TextField()
    status = models.TextField(db_default=QUEUED)
    attempts = models.IntegerField(db_default=0)
    max_attempts = models.IntegerField(db_default=5)
    not_before = models.DateTimeField(db_default=TransactionNow())
    sent_at = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(db_default=False)
    progress_done = models.BigIntegerField(db_default=0)
    progress_total = models.BigIntegerField(null=True)
    progress_note = models.TextField(db_default="")
    result = models.JSONField(null=True)
    error = models.TextField(db_default="")
    created_by = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "jobs"
        constraints = [
            one_of("status", STATES, "jobs_status_check"),
            models.UniqueConstraint(fields=["tenant", "idempotency_key"], name="jobs_idempotency_key"),
            models.UniqueConstraint(fields=["tenant", "id"], name="jobs_tenant_id_id_key"),
        ]
        indexes = [
            models.Index("tenant", models.F("created_at").desc(), models.F("id").desc(), name="jobs_recent"),
            models.Index(
                "not_before", condition=models.Q(status__in=[QUEUED, RUNNING]), name="jobs_unfinished"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.status}"

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    @property
    def percent(self) -> int | None:
        if not self.progress_total:
            return None
        return min(100, int(100 * self.progress_done / self.progress_total))
