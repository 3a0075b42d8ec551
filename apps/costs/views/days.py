"""The specified series as a list, and the billing periods that it came from."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.tenancy.pages import ListPage

from ..filters import CostFilter, PeriodFilter
from ..models import CostDay, CostPeriod
from ..words import totals_in_words

NO_COSTS = Emptiness(
    "No costs yet", "No billing export has been imported.", "catalog:import-create", "Import one", "import"
)


class CostList(ListPage):
    name = "costs.days"
    title = "Costs by day and service"
    lead = "Billed cost, in your one currency. Each amount is the exact sum of its lines."
    filterset_class = CostFilter
    primary = ("service", "day_from", "day_to")
    unlisted = ("resource",)
    labels = {"service": "Service begins with", "day_from": "From", "day_to": "To"}
    sorts = (
        Sort("recent", "Latest day first", Keyset("-day", "-service")),
        Sort("oldest", "Earliest day first", Keyset("day", "service")),
        Sort("service", "By service", Keyset("service", "day")),
    )
    columns = (
        Column("day", "Day", cell=lambda c: cells.day(c.day), sort="recent", css="when main"),
        Column("service", "Service", sort="service", css="wide"),
        Column("resource_id", "Resource id", shown=False),
        Column("amount", "Amount", cell=lambda c: f"{c.amount:,.2f}", css="num"),
    )

    def rows(self) -> QuerySet[Any]:
        return CostDay.objects.all()

    def empty(self) -> Emptiness:
        return NO_COSTS


class PeriodList(ListPage):
    name = "costs.periods"
    title = "Billing periods"
    lead = "What came in for each billing account and month. A new delivery of a month replaces the old one."
    filterset_class = PeriodFilter
    primary = ("provider", "billing_account", "start_from", "start_to")
    labels = {"start_from": "From", "start_to": "To"}
    sorts = (
        Sort("recent", "Changed last first", Keyset("-changed_at", "-id")),
        Sort("oldest", "Changed first first", Keyset("changed_at", "id")),
    )
    columns = (
        Column(
            "billing_period_start", "Month", cell=lambda p: cells.day(p.billing_period_start), css="when main"
        ),
        Column("provider", "Provider", cell=lambda p: cells.coded(p.provider)),
        Column("billing_account_id", "Billing account", cell=lambda p: cells.code(p.billing_account_id)),
        Column("billing_account_name", "Name"),
        Column("lines", "Lines", cell=lambda p: cells.number(p.lines), css="num"),
        Column("totals", "Billed", cell=lambda p: totals_in_words(p.totals), css="num"),
        Column("last_day", "Up to", cell=lambda p: cells.day(p.last_day), css="when"),
        Column("revision", "Deliveries that changed it", css="num"),
        Column("changed_at", "Changed", cell=lambda p: cells.moment(p.changed_at), css="when"),
    )

    def rows(self) -> QuerySet[Any]:
        return CostPeriod.objects.all()

    def empty(self) -> Emptiness:
        return NO_COSTS
