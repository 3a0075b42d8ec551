"""Rollups of the lines: small enough to draw from, and always their exact sums.

They are tables of our own because TimescaleDB refuses continuous aggregates on a table with row-level
security. Each is changed in the transaction that changes the lines, by exactly the lines that came and went.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.db.access import EVERYTHING, Privileges
from apps.core.db.fields import NumericField
from apps.core.models import TenantModel


class _Sums(TenantModel):
    app_privileges: ClassVar[Privileges] = EVERYTHING

    day = models.DateField()
    currency = models.TextField()
    billed = NumericField(db_default=0)
    effective = NumericField(db_default=0)
    lines = models.BigIntegerField(db_default=0)

    class Meta:
        abstract = True


class CostRollup(_Sums):
    """Day × provider × service × sub account × region × charge category; empty text where a line says nothing."""

    pk = models.CompositePrimaryKey(
        "tenant_id", "day", "service", "account", "region", "category", "provider", "currency"
    )
    provider = models.TextField()
    service = models.TextField()
    account = models.TextField(db_default="")
    region = models.TextField(db_default="")
    category = models.TextField(db_default="")

    class Meta:
        db_table = "cost_rollups"

    def __str__(self) -> str:
        return f"{self.service} {self.day}"


class CostTagRollup(_Sums):
    """Day × service × sub account × value of a tag key that is rolled up; an empty value is "not tagged"."""

    pk = models.CompositePrimaryKey(
        "tenant_id", "key", "day", "value", "service", "account", "category", "currency"
    )
    key = models.TextField()
    value = models.TextField(db_default="")
    service = models.TextField()
    account = models.TextField(db_default="")
    category = models.TextField(db_default="")

    class Meta:
        db_table = "cost_tag_rollups"

    def __str__(self) -> str:
        return f"{self.key}={self.value} {self.day}"
