"""Anomalies: days on which a service cost what its own history does not explain, and what people said to it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.db.access import APPEND_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import BigSerialField, DatabaseForeignKey, NumericField, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel

ANOMALY_STATES = ("open", "acknowledged", "dismissed", "expected", "withdrawn")


class CostAnomaly(TenantModel):
    """A run of neighbouring days that stand out of a service's series.

    `expected` and `actual` are sums over the days, `impact` their difference; `causes` is a ranked list of
    {"dimension", "value", "label", "before", "now", "difference", "share"}, money as text. `withdrawn`: after a
    restatement the days no longer stand out. A later day that joins the run extends it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    service = models.TextField()
    first_day = models.DateField()
    last_day = models.DateField()
    direction = models.TextField(db_default="up")
    expected = NumericField()
    actual = NumericField()
    impact = NumericField()
    score = NumericField(db_default=0)
    currency = models.TextField(db_default="")
    causes = models.JSONField(db_default=[])
    status = models.TextField(db_default="open")
    reason = models.TextField(db_default="")
    decided_by = models.TextField(db_default="")
    detected_at = models.DateTimeField(db_default=TransactionNow())
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "cost_anomalies"
        verbose_name = "anomaly"
        verbose_name_plural = "anomalies"
        constraints = [
            one_of("status", ANOMALY_STATES, "cost_anomalies_status_check"),
            models.UniqueConstraint(fields=["tenant", "id"], name="cost_anomalies_tenant_id_id_key"),
            models.UniqueConstraint(
                fields=["tenant", "service", "first_day", "direction"], name="cost_anomalies_key"
            ),
        ]
        indexes = [
            models.Index(
                "tenant",
                models.F("last_day").desc(),
                models.F("id").desc(),
                name="cost_anomalies_recent",
            ),
            models.Index(fields=["tenant", "status"], name="cost_anomalies_status"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.first_day}"


class CostAnomalyEvent(TenantModel):
    """A step in an anomaly's life."""

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = BigSerialField(primary_key=True)
    anomaly = DatabaseForeignKey(CostAnomaly, "CASCADE", related_name="events")
    ts = models.DateTimeField(db_default=TransactionNow())
    actor = models.TextField(db_default="")
    from_status = models.TextField(db_default="")
    to_status = models.TextField()
    note = models.TextField(db_default="")

    class Meta:
        db_table = "cost_anomaly_events"
        constraints = [tenant_reference("cost_anomaly_events_anomaly_fk", "anomaly_id", "costs.CostAnomaly")]
        indexes = [models.Index(fields=["tenant", "anomaly", "id"], name="cost_anomaly_events_of")]

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"
