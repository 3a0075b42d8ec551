"""What past days are told from, beside the events of violations: see `history`."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F

from apps.core.db.access import APPEND_ONLY, READ_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import BigSerialField, DatabaseForeignKey, TransactionNow
from apps.core.models import TenantModel


class PostureDay(TenantModel):
    """By how many the violations of a policy, severity and status grew on a day (UTC); summed up to a day, what
    there were at its end. Written by the triggers of `violations` with each event; `history` verifies it."""

    app_privileges: ClassVar[Privileges] = READ_ONLY

    pk = models.CompositePrimaryKey("tenant_id", "day", "policy_id", "severity", "status")
    day = models.DateField()
    policy_id = models.TextField(db_default="")
    severity = models.TextField()
    status = models.TextField()
    delta = models.BigIntegerField(db_default=0)

    class Meta:
        db_table = "posture_days"

    def __str__(self) -> str:
        return f"{self.day} {self.policy_id} {self.severity} {self.status}: {self.delta:+}"


class ExceptionEvent(TenantModel):
    """Each state of an exception and since when, append-only, written by a trigger of `exceptions`.

    What was in force on a past day is told from these: an exception's own row knows its last state alone.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY

    id = BigSerialField(primary_key=True)
    exception_id = models.UUIDField()
    status = models.TextField()
    expires_at = models.DateTimeField(null=True)
    actor_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "exception_events"
        indexes = [models.Index(fields=["tenant", "exception_id", "at", "id"], name="exception_events_of")]

    def __str__(self) -> str:
        return f"{self.status} {self.at}"


class PolicyEvaluation(TenantModel):
    """Over how many resources a scan evaluated a policy, and what became of them.

    outcome: judged, or failed (it could not be evaluated at all). `types` are those that it looks at, NULL for
    any of its `provider` ("any": of all). `evaluated` counts resources; `open` and `excepted` are violations
    at the scan's end, `undecided` resources for which the rule had no answer.
    """

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = BigSerialField(primary_key=True)
    scan = DatabaseForeignKey("findings.ScanRun", "CASCADE", related_name="evaluations")
    policy_id = models.TextField()
    policy_version = models.IntegerField(null=True)
    outcome = models.TextField()
    provider = models.TextField(db_default="any")
    types = ArrayField(models.TextField(), null=True)
    evaluated = models.BigIntegerField(db_default=0)
    open = models.BigIntegerField(db_default=0)
    excepted = models.BigIntegerField(db_default=0)
    undecided = models.BigIntegerField(db_default=0)
    at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "policy_evaluations"
        constraints = [
            tenant_reference("policy_evaluations_scan_fk", "scan_id", "findings.ScanRun"),
            one_of("outcome", ("judged", "failed"), "policy_evaluations_outcome_check"),
            models.UniqueConstraint(fields=["tenant", "scan", "policy_id"], name="policy_evaluations_key"),
        ]
        indexes = [
            models.Index("tenant", "policy_id", F("at").desc(), name="policy_evaluations_of"),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} {self.outcome} over {self.evaluated}"
