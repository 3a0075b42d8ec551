"""The approval queue: exceptions that wait for a decision, and what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from unfold.decorators import display
from unfold.sections import TemplateSection

from apps.catalog.models import Resource
from apps.core.filters import StartsWith
from apps.tenancy.admin_deciding import DecidingModelAdmin
from apps.tenancy.admin_display import STATUS_LABELS, age, clamped, shortened, until

from ..expressions import shown_exception_status
from ..models import PolicyException
from ..selectors import selector_words
from .decisions import DESK
from .filters import AskedByFilter, RiskFilter, ShownExceptionFilter
from .queue import queue_order, with_risk

RISKS = ("", "low", "medium", "high", "critical")
MATCHING_RESOURCES = 100


class ImpactSection(TemplateSection):
    """Opens in the row: what is asked, for what, and which violations change from open to excepted."""

    template_name = "admin/desk/exception_section.html"


@admin.register(PolicyException)
class PolicyExceptionAdmin(DecidingModelAdmin):
    desk = DESK

    list_display = ("request_", "why", "asked_by", "impact", "expiry", "waiting", "decide_")
    list_display_links = ("request_",)
    list_filter = (ShownExceptionFilter, RiskFilter, AskedByFilter)
    list_select_related = ("policy", "resource", "created_by", "decided_by")
    list_sections = (ImpactSection,)
    change_form_outer_before_template = "admin/desk/exception_head.html"
    search_fields = ("id", "policy_id")
    search_help_text = "Exception, policy or resource id; how a cloud id begins"
    fields = (
        "status", "decided_by", "decided_at", "decision_reason",
    )  # fmt: skip

    # --- the list -------------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return with_risk(super().get_queryset(request).annotate(shown_status=shown_exception_status()))

    def get_ordering(self, request: HttpRequest) -> Sequence[Any]:
        return queue_order(request.user.pk)

    def search_condition(self, request: HttpRequest, term: str) -> Q:
        resources = Resource.objects.filter(Q(pk=term) | Q(StartsWith("native_id", term)))
        found = list(resources.values_list("pk", flat=True)[:MATCHING_RESOURCES])
        return super().search_condition(request, term) | Q(resource_id__in=found)

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        self.desk.prepare(rows)
        decides = self.has_decide_permission(request)
        filters = self.get_preserved_filters(request)
        for row in rows:
            row.is_own = row.created_by_id == request.user.pk
            row.is_mine = decides and row.status == "pending" and not row.is_own
            row.may_revoke = decides and row.status == "approved"
            row.filters = f"?{filters}" if filters else ""

    @display(description="Exception for")
    def request_(self, row: Any) -> str:
        where = shortened(row.resource.display_id, shown=34) if row.resource else "every resource"
        if row.selector is not None and row.resource is None:
            where = clamped(", ".join(selector_words(row.selector)))
        cell = {"row": row, "risk": RISKS[row.risk], "where": where}
        return render_to_string("admin/desk/cell_request.html", cell)

    @display(description="Asked by")
    def asked_by(self, row: Any) -> str:
        return "you" if row.is_own else str(row.created_by or "–")

    @display(description="Reason")
    def why(self, row: Any) -> str:
        return clamped(row.reason)

    @display(description="Impact")
    def impact(self, row: Any) -> str:
        return render_to_string("admin/desk/cell_impact.html", {"coverage": row.coverage})

    @display(description="Expires")
    def expiry(self, row: Any) -> str:
        return until(row.expires_at)

    @display(description="Age")
    def waiting(self, row: Any) -> str:
        return age(row.created_at)

    @display(description="Decision")
    def decide_(self, row: Any) -> str:
        return render_to_string("admin/desk/cell_decide.html", {"row": row, "label": STATUS_LABELS})
