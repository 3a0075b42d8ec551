"""Filters of the cost lists."""

from __future__ import annotations

from apps.core.filters import ChoicesFilter, DayFilter, LeastFilter, PrefixFilter, StrictFilterSet, TextFilter

from .models import ANOMALY_STATES, Budget, CostAnomaly, CostDay, CostLine, CostPeriod, UnitMetric
from .models.budgets import BUDGET_SCOPES


class CostFilter(StrictFilterSet):
    service = PrefixFilter("service", help_text="The service's name begins with this; case counts")
    resource = TextFilter("resource_id", help_text="Id of a resource")
    day_from = DayFilter("day", "gte", help_text="On or after this day")
    day_to = DayFilter("day", "lte", help_text="On or before this day")

    class Meta:
        model = CostDay
        fields: list[str] = []


class LineFilter(StrictFilterSet):
    service = TextFilter("service_name", help_text="The service's name")
    account = TextFilter("sub_account_id", help_text="Id of a subscription, account or project")
    region = TextFilter("region_id")
    provider = TextFilter("provider")
    category = TextFilter("charge_category")
    currency = TextFilter("billing_currency")
    resource = TextFilter("resource_native_id", help_text="The cloud's own id of a resource")
    day_from = DayFilter("day", "gte", help_text="On or after this day")
    day_to = DayFilter("day", "lte", help_text="On or before this day")

    class Meta:
        model = CostLine
        fields: list[str] = []


class PeriodFilter(StrictFilterSet):
    provider = TextFilter("provider")
    billing_account = TextFilter("billing_account_id")
    start_from = DayFilter("billing_period_start", "gte", help_text="Begins on or after this day")
    start_to = DayFilter("billing_period_start", "lte", help_text="Begins on or before this day")

    class Meta:
        model = CostPeriod
        fields: list[str] = []


class AnomalyFilter(StrictFilterSet):
    status = ChoicesFilter(ANOMALY_STATES, field_name="status")
    direction = ChoicesFilter(("up", "down"), field_name="direction")
    service = PrefixFilter("service", help_text="The service's name begins with this; case counts")
    least = LeastFilter("impact", help_text="The difference is this amount or more, up or down")
    day_from = DayFilter("last_day", "gte", help_text="Ends on or after this day")
    day_to = DayFilter("last_day", "lte", help_text="Ends on or before this day")

    class Meta:
        model = CostAnomaly
        fields: list[str] = []


class BudgetFilter(StrictFilterSet):
    status = ChoicesFilter(("active", "ended"), field_name="status")
    scope = ChoicesFilter(BUDGET_SCOPES, field_name="scope")

    class Meta:
        model = Budget
        fields: list[str] = []


class MetricFilter(StrictFilterSet):
    metric = TextFilter("metric")
    day_from = DayFilter("day", "gte", help_text="On or after this day")
    day_to = DayFilter("day", "lte", help_text="On or before this day")

    class Meta:
        model = UnitMetric
        fields: list[str] = []
