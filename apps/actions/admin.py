"""Actions, with those that wait for an approval on top. Read-only: how they are decided comes with approvals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.catalog.models import Resource
from apps.tenancy.admin_base import ReadOnlyDeskModelAdmin
from apps.tenancy.admin_display import STATUS_LABELS, age, shortened
from apps.tenancy.admin_lists import choice_filter

from .models import ACTION_STATES, Action

WAITING = Q(status="preflight", params__requires_approval=True)


class WaitingFilter(admin.SimpleListFilter):
    title = "approval"
    parameter_name = "approval"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("waiting", "Needs approval")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(WAITING) if self.value() == "waiting" else queryset


@admin.register(Action)
class ActionAdmin(ReadOnlyDeskModelAdmin):
    list_display = ("type", "target", "status_", "approval", "requested_by", "changed")
    list_filter = (WaitingFilter, choice_filter("status", ACTION_STATES))
    list_select_related = ("requested_by",)
    ordering = ("-updated_at", "-id")
    search_fields = ("id", "resource_id")

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        ids = {row.resource_id for row in rows if row.resource_id}
        names = {r.pk: r.display_id for r in Resource.objects.filter(pk__in=ids)}
        for row in rows:
            row.native_id = names.get(row.resource_id, row.resource_id)

    @display(description="Resource")
    def target(self, row: Any) -> str:
        return shortened(row.native_id)

    @display(description="Status", label=STATUS_LABELS)
    def status_(self, row: Action) -> str:
        return row.status

    @display(description="Approval", label={"needed": "warning"})
    def approval(self, row: Action) -> str:
        waits = row.status == "preflight" and bool((row.params or {}).get("requires_approval"))
        return "needed" if waits else ""

    @display(description="Changed")
    def changed(self, row: Action) -> str:
        return age(row.updated_at)
