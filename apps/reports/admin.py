"""Evidence reports, to look at; they are asked for and downloaded on the tenant's pages."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from apps.tenancy.admin_base import ReadOnlyDeskModelAdmin
from apps.tenancy.admin_display import STATUS_LABELS, age
from apps.tenancy.admin_lists import choice_filter

from .models import Report


@admin.register(Report)
class ReportAdmin(ReadOnlyDeskModelAdmin):
    list_display = ("period_from", "period_to", "status_", "requested_by", "size", "created")
    list_filter = (choice_filter("status", ("queued", "running", "succeeded", "failed", "cancelled")),)
    list_select_related = ("requested_by",)
    ordering = ("-created_at", "-id")
    search_fields = ("id",)
    search_help_text = "Report id"

    @display(description="Status", label=STATUS_LABELS)
    def status_(self, row: Report) -> str:
        return row.status

    @display(description="Asked")
    def created(self, row: Report) -> str:
        return age(row.created_at)
