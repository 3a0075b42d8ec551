"""What a cost is divided by: orders, users, requests, whatever the tenant counts."""

from __future__ import annotations

from django.db import models

from apps.core.db.fields import NumericField
from apps.core.models import TenantModel


class UnitMetric(TenantModel):
    """A day's quantity of a metric that the tenant uploaded."""

    pk = models.CompositePrimaryKey("tenant_id", "metric", "day")
    metric = models.TextField()
    day = models.DateField()
    quantity = NumericField()

    class Meta:
        db_table = "cost_unit_metrics"

    def __str__(self) -> str:
        return f"{self.metric} {self.day}"
