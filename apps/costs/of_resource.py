"""What one resource of the inventory costs, for its page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce

from .models import CostLine, CostPeriod, CostSettings

DAYS = 30
SHOWN_SERVICES = 10


@dataclass(frozen=True)
class ResourceCosts:
    """Exact sums in the tenant's currency of the DAYS to `last_day`, and of as many days before them.

    `services` are (service, amount), the dearest first; `more` is how many are not among them.
    """

    currency: str
    first_day: dt.date
    last_day: dt.date
    amount: Decimal
    before: Decimal
    services: list[tuple[str, Decimal]]
    more: int

    @property
    def change(self) -> Decimal:
        return self.amount - self.before

    @property
    def difference(self) -> Decimal:
        return abs(self.change)


def costs_of_resource(resource_id: str) -> ResourceCosts | None:
    """None where no bill has told of the resource in the DAYS before the last day of any bill, nor before them.

    What it costs is what it came to with discounts (effective cost), taxes and credits included.
    """
    settings = CostSettings.objects.first()
    last_day = CostPeriod.objects.aggregate(last=Max("last_day"))["last"]
    if settings is None or last_day is None:
        return None
    first_day = last_day - dt.timedelta(days=DAYS - 1)
    lines = CostLine.objects.filter(resource_id=resource_id, billing_currency=settings.currency)
    cost = Coalesce(F("effective_cost"), F("billed_cost"))
    rows = (
        lines.filter(day__range=(first_day, last_day)).values_list("service_name").annotate(total=Sum(cost))
    )
    services = list(rows.order_by("-total", "service_name"))
    earlier = (first_day - dt.timedelta(days=DAYS), first_day - dt.timedelta(days=1))
    before = lines.filter(day__range=earlier).aggregate(total=Sum(cost))["total"]
    if not services and before is None:
        return None
    return ResourceCosts(
        currency=settings.currency,
        first_day=first_day,
        last_day=last_day,
        amount=sum((amount for _, amount in services), Decimal(0)),
        before=before or Decimal(0),
        services=services[:SHOWN_SERVICES],
        more=max(len(services) - SHOWN_SERVICES, 0),
    )
