"""Costs: what each service cost each day, and the days' totals as a chart."""

from __future__ import annotations

from typing import Any

from django.db.models import Max, QuerySet, Sum

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.tenancy.pages import ListPage

from .chart import bar_chart
from .filters import CostFilter
from .models import CostDay

CHART_DAYS = 90
TOP_SERVICES = 8


class CostList(ListPage):
    name = "costs.days"
    title = "Costs"
    lead = "Billed cost by day and service, in your one currency."
    template_name = "costs/cost_list.html"
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
        return Emptiness("No costs yet", "No billing export has been imported.")

    def extra_context(self) -> dict[str, Any]:
        """Totals of the last CHART_DAYS days on which there is anything, of what is filtered."""
        last = self.filtered.order_by().aggregate(last=Max("day"))["last"]
        if last is None:
            return {"chart": None}
        recent = self.filtered.order_by("-day").values_list("day", flat=True).distinct()[:CHART_DAYS]
        shown = self.filtered.order_by().filter(day__in=list(recent))
        totals = dict(shown.values_list("day").annotate(total=Sum("amount")))
        services = list(
            shown.values("service")
            .annotate(total=Sum("amount"))
            .order_by("-total", "service")[: TOP_SERVICES + 1]
        )
        return {
            "chart": bar_chart(totals),
            "chart_total": sum(totals.values()),
            "services": services[:TOP_SERVICES],
            "more_services": len(services) > TOP_SERVICES,
        }
