"""The inbox of anomalies: the cause first, then what somebody says to it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.tenancy.names import names_of_actors
from apps.tenancy.pages import CommandPage, DetailPage, ListPage
from apps.tenancy.roles import Permission

from ..filters import AnomalyFilter
from ..models import CostAnomaly, CostRollup
from ..services.anomalies import DECISIONS, decide_anomaly
from ..services.detecting import LEFT_OUT
from ..services.settings import cost_settings
from ..states import ANOMALY_MACHINE
from ..words import cause_in_words, dimension_in_words, money
from .days import NO_COSTS

SHOWN_BEFORE, SHOWN_AFTER = 42, 14


def _impact(anomaly: CostAnomaly) -> Any:
    sign = "+" if anomaly.impact > 0 else ""
    return format_html("{}{}", sign, money(anomaly.impact, anomaly.currency))


class AnomalyList(ListPage):
    name = "costs.anomalies"
    title = "Cost anomalies"
    lead = (
        "Days on which a service cost what its own weekdays do not explain. The likeliest cause comes first."
    )
    filterset_class = AnomalyFilter
    primary = ("status", "direction", "service", "least")
    labels = {
        "service": "Service begins with",
        "least": "Difference of at least",
        "day_from": "From",
        "day_to": "To",
    }
    sorts = (
        Sort("recent", "Latest first", Keyset("-last_day", "-id")),
        Sort("oldest", "Earliest first", Keyset("last_day", "id")),
        Sort("dearest", "Largest first", Keyset("-impact", "-id")),
    )
    columns = (
        Column(
            "cause",
            "Likeliest cause",
            value=lambda a: a.causes[0]["label"] if a.causes else "",
            cell=lambda a: cells.link(cause_in_words(a.causes), "costs:anomaly-detail", a.pk),
            css="main",
        ),
        Column("service", "Service", css="wide"),
        Column("impact", "Difference", cell=_impact, sort="dearest", css="num"),
        Column("expected", "Usually", cell=lambda a: money(a.expected), css="num"),
        Column("actual", "Was", cell=lambda a: money(a.actual), css="num"),
        Column("first_day", "From", cell=lambda a: cells.day(a.first_day), css="when"),
        Column("last_day", "To", cell=lambda a: cells.day(a.last_day), sort="recent", css="when"),
        Column("status", "Status", cell=lambda a: cells.status(a.status)),
    )

    def rows(self) -> QuerySet[Any]:
        return CostAnomaly.objects.all()

    def empty(self) -> Emptiness:
        if not cost_settings().currency:
            return NO_COSTS
        return Emptiness(
            "Nothing out of the ordinary", "Every service costs what its last six weeks would say."
        )


class AnomalyDetail(DetailPage):
    model = CostAnomaly
    template_name = "costs/anomaly_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        anomaly: CostAnomaly = self.object
        events = list(anomaly.events.order_by("id"))
        names = names_of_actors([e.actor for e in events] + [anomaly.decided_by])
        return super().get_context_data(**kwargs) | {
            "title": f"{anomaly.service}: {'more' if anomaly.impact > 0 else 'less'} than usual",
            "impact": _impact(anomaly),
            "causes": [_cause(cause) for cause in anomaly.causes],
            "events": [(e, names.get(e.actor, e.actor)) for e in events],
            "decided_by": names.get(anomaly.decided_by, anomaly.decided_by),
            "decisions": [
                (state, words, needs)
                for state, (words, needs) in DECISIONS.items()
                if ANOMALY_MACHINE.allows(anomaly.status, state)
            ],
            "chart": _chart(anomaly),
        }


def _cause(cause: dict[str, Any]) -> dict[str, Any]:
    return {
        **cause,
        "dimension": dimension_in_words(cause["dimension"]).capitalize(),
        "percent": int(Decimal(cause["share"]) * 100),
        "before": Decimal(cause["before"]),
        "now": Decimal(cause["now"]),
        "difference": Decimal(cause["difference"]),
    }


def _chart(anomaly: CostAnomaly) -> dict[str, Any]:
    """The service's days around the anomaly, its own days as a series of their own."""
    first = anomaly.first_day - dt.timedelta(days=SHOWN_BEFORE)
    last = anomaly.last_day + dt.timedelta(days=SHOWN_AFTER)
    totals = dict(
        CostRollup.objects.filter(
            service=anomaly.service, currency=anomaly.currency, day__gte=first, day__lte=last
        )
        .exclude(category__in=LEFT_OUT)
        .values_list("day")
        .annotate(total=Sum("billed"))
        .order_by("day")
    )
    days = sorted(totals)
    within = [anomaly.first_day <= day <= anomaly.last_day for day in days]

    def those(wanted: bool) -> list[str]:
        return [format(totals[d], "f") if w is wanted else "0" for d, w in zip(days, within, strict=True)]

    return {
        "days": [day.isoformat() for day in days],
        "series": [
            {"name": "usual days", "amounts": those(False)},
            {"name": "out of the ordinary", "amounts": those(True)},
        ],
        "grain": "day",
        "currency": anomaly.currency,
    }


class AnomalyDecide(CommandPage):
    permission = Permission.REQUEST
    done = "Noted."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        anomaly = get_object_or_404(CostAnomaly, pk=kwargs["pk"])
        decide_anomaly(
            anomaly=anomaly, status=request.POST.get("status", ""), reason=request.POST.get("reason", "")
        )
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("costs:anomaly-detail", args=[kwargs["pk"]])
