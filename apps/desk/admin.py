"""Jobs and audits, to look at. Their rooms lie below the roles, so they can't ask for a permission themselves."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin import DateFieldListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.audit.models import Audit
from apps.jobs.models import STATES, Job
from apps.tenancy.admin_base import ReadOnlyDeskModelAdmin, name_actors
from apps.tenancy.admin_display import STATUS_LABELS, age, clamped, shortened
from apps.tenancy.admin_lists import choice_filter


@admin.register(Job)
class JobAdmin(ReadOnlyDeskModelAdmin):
    list_display = ("type", "status_", "progress", "attempts", "created", "note")
    list_filter = (choice_filter("status", STATES),)
    ordering = ("-created_at", "-id")
    search_fields = ("id", "idempotency_key")
    search_help_text = "Job id or idempotency key"
    fields = (
        "type", "queue", "status", "params", "idempotency_key", "attempts", "max_attempts",
        "progress_done", "progress_total", "progress_note", "result", "error",
        "created_by", "created_at", "started_at", "finished_at",
    )  # fmt: skip

    @display(description="Status", label=STATUS_LABELS)
    def status_(self, row: Job) -> str:
        return row.status

    @display(description="Progress")
    def progress(self, row: Job) -> str:
        return "–" if row.percent is None else f"{row.percent} %"

    @display(description="Created")
    def created(self, row: Job) -> str:
        return age(row.created_at)

    @display(description="Note")
    def note(self, row: Job) -> str:
        return shortened(row.error or row.progress_note)


@admin.register(Audit)
class AuditAdmin(ReadOnlyDeskModelAdmin):
    list_display = ("at", "who", "action", "what", "payload_")
    list_filter = (("created_at", DateFieldListFilter),)
    ordering = ("-created_at", "-id")
    search_fields = ("id",)
    search_help_text = "Audit id, or the id of what was changed"
    fields = ("created_at", "actor", "action", "target_type", "target_id", "payload", "leaf_")
    readonly_fields = ("leaf_",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows: QuerySet = super().get_queryset(request).defer("canonical")
        return rows

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        name_actors(rows)

    def search_condition(self, request: HttpRequest, term: str) -> Q:
        # With the types stated the index (tenant, target_type, target_id) answers.
        types = [model._meta.label_lower for model in self.admin_site._registry]
        return super().search_condition(request, term) | Q(target_type__in=types, target_id=term)

    @display(description="When")
    def at(self, row: Audit) -> str:
        return row.created_at.strftime("%Y-%m-%d %H:%M:%S")

    @display(description="Who")
    def who(self, row: Any) -> str:
        return shortened(row.actor_name)

    @display(description="What")
    def what(self, row: Audit) -> str:
        return shortened(f"{row.target_type} {row.target_id}" if row.target_type else "")

    @display(description="Payload")
    def payload_(self, row: Audit) -> str:
        shown = {name: value for name, value in row.payload.items() if name != "request_id"}
        return clamped(json.dumps(shown, ensure_ascii=False) if shown else "")

    @display(description="Leaf hash")
    def leaf_(self, row: Audit) -> str:
        return bytes(row.leaf).hex()
