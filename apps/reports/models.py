"""Evidence reports: what was asked for, and where the bundle lies."""

from __future__ import annotations

from django.db import models
from django.db.models import F

from apps.catalog.models import Framework
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel
from apps.tenancy.models import User


class Report(TenantModel):
    """An evidence report for a period, on one framework or on all, built by a job into the object store."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    period_from = models.DateField()
    period_to = models.DateField()
    status = models.TextField(db_default="queued")
    job_id = models.UUIDField(null=True)
    requested_by = DatabaseForeignKey(
        User, "NO ACTION", null=True, related_name="+", db_column="requested_by"
    )
    object_key = models.TextField(db_default="")
    version_id = models.TextField(db_default="")
    sha256 = models.TextField(db_default="")
    size = models.BigIntegerField(null=True)
    manifest = models.JSONField(db_default={})
    framework = DatabaseForeignKey(Framework, "NO ACTION", null=True, related_name="+")
    # As reports.scope.ReportScope stores it; {} for the whole estate.
    scope = models.JSONField(db_default={})
    error = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "reports"
        constraints = [
            one_of(
                "status", ("queued", "running", "succeeded", "failed", "cancelled"), "reports_status_check"
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="reports_tenant_id_id_key"),
            tenant_reference("reports_framework_fk", "framework_id", "catalog.Framework", "NO ACTION"),
            tenant_reference("reports_requested_by_fk", "requested_by", "tenancy.User", "NO ACTION"),
        ]
        indexes = [models.Index("tenant", F("created_at").desc(), F("id").desc(), name="reports_recent")]

    def __str__(self) -> str:
        return f"evidence {self.period_from} to {self.period_to}"
