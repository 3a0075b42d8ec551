"""Unit cost: what an order, a user or a request costs, month by month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncMonth

from apps.core.errors import InvalidInput

from .models import CostRollup, UnitMetric
from .services.settings import cost_settings

SHOWN_MONTHS = 13


@dataclass(frozen=True)
class UnitMonth:
    """A month: the cost of the days that have a quantity, the quantity, and one by the other.

    `days` are those with a quantity: a month that is counted in part is divided in part.
    """

    month: dt.date
    cost: Decimal
    quantity: Decimal
    days: int

    @property
    def unit_cost(self) -> Decimal | None:
        return self.cost / self.quantity if self.quantity else None


def metric_names() -> list[str]:
    return list(UnitMetric.objects.values_list("metric", flat=True).distinct().order_by("metric")[:200])


def unit_costs(metric: str, services: Sequence[str] = ()) -> list[UnitMonth]:
    """The last months of a metric, the latest first; of all costs or of some services. Raises InvalidInput."""
    counted = UnitMetric.objects.filter(metric=metric)
    last = counted.aggregate(last=Max("day"))["last"]
    if last is None:
        raise InvalidInput(f"There is no metric {metric!r}.", field="metric")
    counted = counted.filter(day__gte=last - dt.timedelta(days=31 * SHOWN_MONTHS))
    costs = CostRollup.objects.filter(currency=cost_settings().currency, day__in=counted.values("day"))
    if services:
        costs = costs.filter(service__in=list(services))
    billed = dict(
        costs.annotate(month=TruncMonth("day"))
        .values_list("month")
        .annotate(t=Sum("billed"))
        .order_by("month")
    )
    quantities = (
        counted.annotate(month=TruncMonth("day"))
        .values_list("month")
        .annotate(t=Sum("quantity"), n=Count("day"))
        .order_by("-month")
    )
    return [UnitMonth(month, billed.get(month, Decimal(0)), total, days) for month, total, days in quantities]
