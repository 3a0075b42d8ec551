"""Violations, scan runs and recommendations, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.catalog.models import SEVERITIES, Resource
from apps.core.filters import StartsWith
from apps.tenancy.admin_base import ReadOnlyDeskModelAdmin
from apps.tenancy.admin_display import SEVERITY_LABELS, STATUS_LABELS, age, clamped, shortened
from apps.tenancy.admin_lists import choice_filter

from ..expressions import effective_status
from ..models import RECOMMENDATION_KINDS, Recommendation, ScanRun, Violation
from .filters import ShownStatusFilter

MATCHING_RESOURCES = 100


@admin.register(Violation)
class ViolationAdmin(ReadOnlyDeskModelAdmin):
    list_display = ("severity_", "rule", "on_resource", "why", "state", "seen")
    list_display_links = ("rule",)
    list_filter = (choice_filter("severity", tuple(reversed(SEVERITIES))), ShownStatusFilter)
    list_select_related = ("policy", "resource")
    ordering = ("-severity_rank", "-last_seen", "-id")
    search_fields = ("id", "policy_id", "resource_id")
    search_help_text = "Violation, policy or resource id; how a cloud id begins"
    fields = (
        "policy", "resource", "severity", "reason", "status", "suppressed_until", "exception_id",
        "first_seen", "last_seen", "fixed_at", "policy_version", "source",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows: QuerySet = super().get_queryset(request).annotate(shown_status=effective_status())
        return rows

    def search_condition(self, request: HttpRequest, term: str) -> Q:
        resources = Resource.objects.filter(StartsWith("native_id", term))
        found = list(resources.values_list("pk", flat=True)[:MATCHING_RESOURCES])
        return super().search_condition(request, term) | Q(resource_id__in=found)

    @display(description="Severity", label=SEVERITY_LABELS)
    def severity_(self, row: Violation) -> str:
        return row.severity

    @display(description="Policy")
    def rule(self, row: Violation) -> str:
        return clamped(row.policy.name if row.policy else "(policy was removed)")

    @display(description="Resource")
    def on_resource(self, row: Violation) -> str:
        return shortened(row.resource.display_id if row.resource else "")

    @display(description="Reason")
    def why(self, row: Violation) -> str:
        return clamped(row.reason)

    @display(description="Last seen")
    def seen(self, row: Violation) -> str:
        return age(row.last_seen)

    @display(description="Status", label=STATUS_LABELS | {"excepted": "info"})
    def state(self, row: Any) -> str:
        return "excepted" if row.shown_status == "suppressed" else str(row.shown_status)


@admin.register(ScanRun)
class ScanRunAdmin(ReadOnlyDeskModelAdmin):
    list_display = (
        "started", "kind", "mode", "status_", "policies", "resources", "opened", "reopened", "fixed", "errors",
    )  # fmt: skip
    list_filter = (
        choice_filter("kind", ("policy", "finops", "security")),
        choice_filter("status", ("running", "succeeded", "failed", "cancelled")),
    )
    ordering = ("-started_at", "-id")
    search_fields = ("id", "job_id")

    @display(description="Started")
    def started(self, row: ScanRun) -> str:
        return age(row.started_at)

    @display(description="Status", label=STATUS_LABELS)
    def status_(self, row: ScanRun) -> str:
        return row.status


@admin.register(Recommendation)
class RecommendationAdmin(ReadOnlyDeskModelAdmin):
    list_display = ("title", "kind", "severity_", "savings", "created_at")
    list_filter = (choice_filter("kind", RECOMMENDATION_KINDS), choice_filter("severity", SEVERITIES))
    ordering = ("-created_at", "-id")
    search_fields = ("id",)

    @display(description="Severity", label=SEVERITY_LABELS)
    def severity_(self, row: Recommendation) -> str:
        return row.severity
