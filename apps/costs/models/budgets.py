"""Budgets: how much a part of the bill may be in a period, and when somebody is told."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.db.access import APPEND_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import DatabaseForeignKey, NumericField, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel

BUDGET_SCOPES = ("tenant", "service", "account", "region", "provider", "tag")
BUDGET_PERIODS = ("month", "quarter", "year")


class Budget(TenantModel):
    """An amount for a calendar period and a scope: everything, a service, an account, a region, or a tag's value.

    `scope_key` is the tag's key where the scope is a tag. `thresholds` are percentages, each alerted once a
    period for what was billed, and, where `on_forecast`, once for the forecast of the period's end.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.TextField()
    scope = models.TextField(db_default="tenant")
    scope_key = models.TextField(db_default="")
    scope_value = models.TextField(db_default="")
    period = models.TextField(db_default="month")
    amount = NumericField()
    thresholds = ArrayField(models.IntegerField(), db_default=[80, 100])
    on_forecast = models.BooleanField(db_default=True)
    status = models.TextField(db_default="active")
    created_by = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "cost_budgets"
        verbose_name = "budget"
        constraints = [
            one_of("scope", BUDGET_SCOPES, "cost_budgets_scope_check"),
            one_of("period", BUDGET_PERIODS, "cost_budgets_period_check"),
            one_of("status", ("active", "ended"), "cost_budgets_status_check"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="cost_budgets_amount_check"),
            models.UniqueConstraint(fields=["tenant", "id"], name="cost_budgets_tenant_id_id_key"),
        ]
        indexes = [models.Index(fields=["tenant", "name", "id"], name="cost_budgets_by_name")]

    def __str__(self) -> str:
        return self.name


class BudgetAlert(TenantModel):
    """A threshold that was passed in a period: said once."""

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    budget = DatabaseForeignKey(Budget, "CASCADE", related_name="alerts")
    period_start = models.DateField()
    kind = models.TextField(db_default="actual")
    threshold = models.IntegerField()
    amount = NumericField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "cost_budget_alerts"
        constraints = [
            one_of("kind", ("actual", "forecast"), "cost_budget_alerts_kind_check"),
            models.UniqueConstraint(
                fields=["tenant", "budget", "period_start", "kind", "threshold"],
                name="cost_budget_alerts_once",
            ),
            tenant_reference("cost_budget_alerts_budget_fk", "budget_id", "costs.Budget"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.threshold} %"
