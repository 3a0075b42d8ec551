"""The savings board: what could be saved, what was accepted, what the bills say was saved; and one recommendation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.catalog.models import Resource
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.tenancy.pages import CommandPage, DetailPage, ListPage
from apps.tenancy.roles import Permission

from ..filters import RecommendationFilter
from ..models import Recommendation, Violation
from ..savings.deciding import DECISIONS, decide_recommendation
from ..savings.scanning import start_finops_scan
from ..states import RECOMMENDATION_MACHINE


def _amount(value: Decimal | None, currency: str) -> str:
    return "–" if value is None else f"{value:,.2f} {currency}".strip()


class RecommendationList(ListPage):
    name = "findings.recommendations"
    title = "Recommendations"
    template_name = "findings/recommendation_list.html"
    lead = "What is worth doing, beyond what a policy demands."
    filterset_class = RecommendationFilter
    primary = ("search", "status", "kind", "least")
    unlisted = ("resource",)
    labels = {"search": "Title contains", "least": "Saves at least"}
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
        Sort("savings", "Largest saving first", Keyset("-savings_order", "-id")),
    )
    columns = (
        Column("title", "Recommendation", css="main",
               cell=lambda r: cells.link(r.title, "findings:recommendation-detail", r.pk)),
        Column("severity", "Severity", cell=lambda r: cells.severity(r.severity)),
        Column("status", "State", cell=lambda r: cells.status(r.status)),
        Column("kind", "Kind", cell=lambda r: cells.coded(r.kind)),
        Column("description", "What to do", css="wide"),
        Column("savings", "Saving a month", cell=lambda r: _amount(r.savings, r.currency), sort="savings",
               css="num"),
        Column("realised", "Realised", cell=lambda r: _amount(r.realised, r.currency), css="num"),
        Column("confidence", "Confidence", shown=False),
        Column("created_at", "Found", cell=lambda r: cells.moment(r.created_at), sort="recent", css="when"),
        Column("currency", "Currency", shown=False),
        Column("rule", "Rule", shown=False),
        Column("source", "Source", shown=False),
        Column("risk_reduction", "Risk reduction", shown=False),
        Column("resource_id", "Resource id", shown=False),
        Column("decided_at", "Decided", shown=False),
        Column("decision_reason", "Reason", shown=False),
        Column("gone_at", "Gone", shown=False),
        Column("realised_days", "Days of bills since", shown=False),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return Recommendation.objects.all()

    def extra_context(self) -> dict[str, Any]:
        return {"board": _board()}

    def empty(self) -> Emptiness:
        return Emptiness(
            "No recommendations",
            "No detector has found anything worth doing. Look for savings once an inventory and a bill are imported.",
        )


def _board() -> list[dict[str, Any]]:
    """Sums for each currency: proposed, accepted and still to be done, realised beside what was estimated."""
    done = Q(status="accepted", realised__isnull=False)
    rows = (
        Recommendation.objects.filter(savings__isnull=False)
        .exclude(currency="")
        .values("currency")
        .annotate(
            proposed=Sum("savings", filter=Q(status="open")),
            proposed_count=Count("id", filter=Q(status="open")),
            accepted=Sum("savings", filter=Q(status="accepted", realised__isnull=True)),
            accepted_count=Count("id", filter=Q(status="accepted", realised__isnull=True)),
            saved=Sum("realised", filter=done),
            estimated=Sum("savings", filter=done),
            saved_count=Count("id", filter=done),
        )
        .order_by("currency")
    )
    return [{**row, **{n: row[n] or Decimal(0) for n in ("proposed", "accepted", "saved")}} for row in rows]


class RecommendationDetail(DetailPage):
    template_name = "findings/recommendation_detail.html"
    model = Recommendation

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: Any = self.object
        resource = Resource.objects.filter(pk=found.resource_id).first() if found.resource_id else None
        return super().get_context_data(
            title=found.title,
            resource=resource,
            violation=Violation.objects.filter(pk=found.evidence.get("violation")).first(),
            costs=found.evidence.get("costs"),
            decisions=[
                (s, words) for s, words in DECISIONS.items() if RECOMMENDATION_MACHINE.allows(found.status, s)
            ],
            propose=f"?resource={resource.pk}&type={found.remedy}" if resource and found.remedy else "",
            **kwargs,
        )


class RecommendationDecide(CommandPage):
    permission = Permission.REQUEST
    done = "Noted."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        decide_recommendation(
            recommendation=get_object_or_404(Recommendation, pk=kwargs["pk"]),
            status=request.POST.get("status", ""),
            reason=request.POST.get("reason", ""),
        )
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("findings:recommendation-detail", args=[kwargs["pk"]])


class SavingsScan(CommandPage):
    permission = Permission.SCAN
    done = "The scan has begun."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("jobs:job-detail", args=[start_finops_scan().pk])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("findings:recommendation-list")
