"""The cost series: a day's total for a service."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models

from apps.core.context import default_tenant_id
from apps.core.db.access import Privileges, tenant_policies
from apps.core.db.fields import NumericField
from apps.core.db.rls import RLSModel


class CostDay(RLSModel):
    """A day's billed cost of a service (FOCUS BilledCost), in the tenant's one currency of the series.

    A hypertable on `day` where TimescaleDB is there. Without a tenant foreign key, as specified; grants are
    by column so that a chunk, which row-level security does not guard, carries none.
    """

    app_privileges: ClassVar[Privileges] = Privileges(("SELECT", "INSERT", "UPDATE"), column_level=True)
    tenant_column: ClassVar[str] = "tenant_id"

    pk = models.CompositePrimaryKey("tenant_id", "service", "day")
    tenant_id = models.UUIDField(default=default_tenant_id)
    service = models.TextField()
    resource_id = models.TextField(null=True)
    day = models.DateField()
    amount = NumericField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        db_table = "cost_timeseries"
        rls_policies = tenant_policies("tenant_id")
        indexes = [
            models.Index("tenant_id", "service", models.F("day").desc(), name="cost_timeseries_recent"),
            # A month of all services: the others lead with the service.
            models.Index("tenant_id", "day", name="cost_timeseries_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.day}"
