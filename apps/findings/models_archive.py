"""Violations that were closed long ago: a history by quarters, and the view that reads as one with the hot table."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F

from apps.catalog.models import Policy, Resource
from apps.core.db.access import READ_ONLY, Privileges
from apps.core.db.fields import DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel

# What our own scans find; other violations name the tool that found them.
OWN_SOURCE = "policy"


class ViolationColumns(TenantModel):
    """What a violation has wherever it lies."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    severity = models.TextField()
    reason = models.TextField()
    first_seen = models.DateTimeField(db_default=TransactionNow())
    last_seen = models.DateTimeField(db_default=TransactionNow())
    fixed_at = models.DateTimeField(null=True)
    policy_version = models.IntegerField(null=True)
    source = models.TextField(db_default=OWN_SOURCE)

    class Meta:
        abstract = True


class ViolationHistory(TenantModel):
    """A violation that was closed before the tenant's hot window began; partitioned by the quarter of `closed_at`.

    `archive_violations` alone writes it. Neither policy nor resource is a foreign key: history outlives both.
    `segment_id` names the batch that it came with, whose digest the audit trail keeps.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY

    pk = models.CompositePrimaryKey("tenant_id", "id", "closed_at")
    id = models.UUIDField()
    policy_id = models.TextField(null=True)
    resource_id = models.TextField(null=True)
    severity = models.TextField()
    severity_rank = models.SmallIntegerField()
    reason = models.TextField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    fixed_at = models.DateTimeField(null=True)
    policy_version = models.IntegerField(null=True)
    source = models.TextField()
    closed_at = models.DateTimeField()
    archived_at = models.DateTimeField(db_default=TransactionNow())
    segment_id = models.UUIDField()

    class Meta:
        db_table = "violations_history"
        indexes = [
            models.Index(fields=["tenant", "resource_id", "policy_id"], name="violations_history_of"),
            models.Index(fields=["tenant", "segment_id"], name="violations_history_segment"),
            models.Index(
                "tenant",
                F("severity_rank").desc(),
                F("last_seen").desc(),
                F("id").desc(),
                name="violations_history_worst",
            ),
            models.Index("tenant", F("last_seen").desc(), F("id").desc(), name="violations_history_recent"),
        ]

    def __str__(self) -> str:
        return self.reason


class ViolationRecord(ViolationColumns):
    """A violation, current or in the history, as pages, the API and exports read it; a view over both tables.

    A row of the history is `fixed` by construction, so a query for open ones never looks there.
    """

    policy = DatabaseForeignKey(Policy, "NO ACTION", null=True, related_name="+", db_constraint=False)
    resource = DatabaseForeignKey(Resource, "NO ACTION", null=True, related_name="+", db_constraint=False)
    status = models.TextField()
    severity_rank = models.SmallIntegerField()
    suppressed_until = models.DateTimeField(null=True)
    exception_id = models.UUIDField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "violation_records"

    def __str__(self) -> str:
        return self.reason
