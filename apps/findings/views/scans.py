"""Policy scans: what ran, what one changed, and starting one."""

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

from ..filters import ScanRunFilter
from ..forms import ScanForm
from ..models import EvaluationError, ScanRun
from ..services.scanning import start_policy_scan
from ..services.security_scan import start_security_scan


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
            "A scan holds every resource to every active policy, or looks for ways through several resources.",
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
        start = start_security_scan if form.cleaned_data["kind"] == "security" else start_policy_scan
        job = start(mode=form.cleaned_data["mode"])
        return reverse("jobs:job-detail", args=[job.pk])
