"""Scans and recommendations."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from apps.catalog.models import Policy, Resource
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.pages import DetailPage, FormPage, ListPage
from apps.tenancy.roles import Permission

from ..filters import RecommendationFilter, ScanRunFilter
from ..forms import ScanForm
from ..models import EvaluationError, Recommendation, ScanRun
from ..services.scanning import start_policy_scan


def _count(name: str, label: str) -> Column:
    return Column(name, label, cell=lambda row: cells.number(getattr(row, name)), css="num")


class ScanList(ListPage):
    name = "findings.scans"
    title = "Scans"
    step = Step("findings:scan-create", "Start a scan", "scan")
    lead = "Each pass over the estate, and what it changed."
    filterset_class = ScanRunFilter
    primary = ("kind", "status")
    sorts = (
        Sort("recent", "Latest first", Keyset("-started_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("started_at", "id")),
    )
    columns = (
        Column("started_at", "Started", sort="recent", css="when main",
               cell=lambda s: cells.link(f"{s.started_at:%Y-%m-%d %H:%M}", "findings:scan-detail", s.pk)),
        Column("kind", "Kind"),
        Column("mode", "Mode"),
        Column("status", "Outcome", cell=lambda s: cells.status(s.status)),
        _count("policies", "Policies"),
        _count("resources", "Resources"),
        _count("opened", "Opened"),
        _count("reopened", "Re-opened"),
        _count("fixed", "Fixed"),
        _count("still_open", "Still open"),
        _count("errors", "Undecided"),
        Column("finished_at", "Finished", shown=False),
        Column("error", "Error", shown=False),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return ScanRun.objects.all()

    def empty(self) -> Emptiness:
        return Emptiness(
            "Never scanned",
            "A scan holds every resource to every active policy.",
            "findings:scan-create",
            "Start a scan",
            "scan",
        )


class ScanDetail(DetailPage):
    template_name = "findings/scan_detail.html"
    model = ScanRun

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        scan: Any = self.object
        errors = list(EvaluationError.objects.filter(scan=scan).order_by("id")[:200])
        policies = Policy.objects.in_bulk({e.policy_id for e in errors}) if errors else {}
        examples = {e.example_resource_id for e in errors if e.example_resource_id}
        resources = Resource.objects.in_bulk(examples) if examples else {}
        rows = [(e, policies.get(e.policy_id), resources.get(e.example_resource_id or "")) for e in errors]
        return super().get_context_data(
            title=f"Scan of {scan.started_at:%Y-%m-%d %H:%M} UTC", errors=rows, **kwargs
        )


class ScanCreate(FormPage):
    permission = Permission.SCAN
    template_name = "findings/scan_create.html"
    form_class = ScanForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        active = Policy.objects.filter(status="active").count()
        return super().get_context_data(
            title="Start a scan", active_policies=active, any_resources=Resource.objects.exists(), **kwargs
        )

    def act(self, form: ScanForm) -> str:
        job = start_policy_scan(mode=form.cleaned_data["mode"])
        return reverse("jobs:job-detail", args=[job.pk])


class RecommendationList(ListPage):
    name = "findings.recommendations"
    title = "Recommendations"
    lead = "What is worth doing, beyond what a policy demands."
    filterset_class = RecommendationFilter
    primary = ("search", "kind", "severity")
    unlisted = ("resource",)
    labels = {"search": "Title contains"}
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("title", "Recommendation", css="main"),
        Column("severity", "Severity", cell=lambda r: cells.severity(r.severity)),
        Column("kind", "Kind", cell=lambda r: cells.coded(r.kind)),
        Column("description", "Why", css="wide"),
        Column("savings", "Saving a month", css="num"),
        Column("confidence", "Confidence", css="num"),
        Column("created_at", "Found", cell=lambda r: cells.moment(r.created_at), sort="recent", css="when"),
        Column("rule", "Rule", shown=False),
        Column("risk_reduction", "Risk reduction", shown=False),
        Column("resource_id", "Resource id", shown=False),
        Column("id", "Id", shown=False),
    )

    def rows(self) -> QuerySet[Any]:
        return Recommendation.objects.all()

    def empty(self) -> Emptiness:
        return Emptiness(
            "No recommendations",
            "No detector has found anything worth doing. They look at costs and configuration after a scan.",
        )
