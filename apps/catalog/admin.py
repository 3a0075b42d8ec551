"""Resources to look at; policies to enable, disable and weigh. Definitions come by import and are read-only."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core.errors import GovernanceError
from apps.tenancy.admin_base import DeskModelAdmin, ReadOnlyDeskModelAdmin
from apps.tenancy.admin_display import SEVERITY_LABELS, STATUS_LABELS, age, clamped, shortened
from apps.tenancy.admin_lists import choice_filter
from apps.tenancy.roles import Permission

from . import admin_accounts  # noqa: F401  registers
from .models import PROVIDERS, SEVERITIES, ImportRun, Policy, PolicyVersion, Resource
from .services import set_policy_severity, set_policy_status

POLICY_STATES = ("active", "draft", "disabled", "needs_parameters", "unsupported", "invalid", "external")


def pretty(value: Any) -> str:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return format_html('<pre class="desk-json">{}</pre>', text)


@admin.register(Resource)
class ResourceAdmin(ReadOnlyDeskModelAdmin):
    list_display = ("title", "provider", "type", "cloud_id", "location", "seen")
    list_filter = (choice_filter("provider", PROVIDERS),)
    ordering = ("-updated_at", "-id")
    search_fields = ("id", "^native_id", "^name")
    search_help_text = "How the cloud id or the name begins, or our own id"
    fields = (
        "name", "provider", "type", "native_id", "account", "group_name", "location", "status",
        "tags_", "properties_", "created_at", "updated_at",
    )  # fmt: skip
    readonly_fields = ("tags_", "properties_")

    @display(description="Name")
    def title(self, row: Resource) -> str:
        return shortened(row.name)

    @display(description="Cloud id")
    def cloud_id(self, row: Resource) -> str:
        return shortened(row.display_id)

    @display(description="Changed")
    def seen(self, row: Resource) -> str:
        return age(row.updated_at)

    @display(description="Tags")
    def tags_(self, row: Resource) -> str:
        return pretty(row.tags)

    @display(description="Properties")
    def properties_(self, row: Resource) -> str:
        document = getattr(row, "document", None)
        return pretty(document.properties if document else {})


class PolicyForm(forms.ModelForm):
    severity = forms.ChoiceField(
        choices=[(s, s.capitalize()) for s in SEVERITIES],
        widget=UnfoldAdminSelectWidget(choices=()),
        help_text="Violations take it over with the next scan.",
    )

    class Meta:
        model = Policy
        fields = ("severity",)


@admin.register(Policy)
class PolicyAdmin(DeskModelAdmin):
    change_permission = Permission.MANAGE
    form = PolicyForm
    list_display = ("title", "severity_", "status_", "language", "provider", "effect", "version")
    list_filter = (
        choice_filter("status", POLICY_STATES),
        choice_filter("severity", tuple(reversed(SEVERITIES))),
        choice_filter("provider", PROVIDERS),
    )
    ordering = ("name", "id")
    search_fields = ("^name", "id")
    search_help_text = "How the name begins, or an id"
    actions = ("enable", "disable")
    fields = (
        "name", "severity", "status", "language", "provider", "type", "effect", "scope", "version",
        "parameters_", "definition_", "metadata_", "updated_at",
    )  # fmt: skip
    readonly_fields = tuple(f for f in fields if f != "severity")

    @display(description="Name")
    def title(self, row: Policy) -> str:
        return clamped(row.name)

    @display(description="Severity", label=SEVERITY_LABELS)
    def severity_(self, row: Policy) -> str:
        return row.severity

    @display(description="Status", label=STATUS_LABELS)
    def status_(self, row: Policy) -> str:
        return row.status

    @display(description="Version")
    def version(self, row: Policy) -> str:
        return f"v{row.current_version}"

    @display(description="Parameters")
    def parameters_(self, row: Policy) -> str:
        return pretty(row.parameters)

    @display(description="Metadata")
    def metadata_(self, row: Policy) -> str:
        return pretty(row.metadata)

    @display(description="Definition")
    def definition_(self, row: Policy) -> str:
        version = PolicyVersion.objects.filter(policy=row, number=row.current_version).first()
        return pretty(version.definition) if version else "–"

    @action(description="Enable selected policies", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._set_status(request, queryset, "active", "enabled")

    @action(description="Disable selected policies", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._set_status(request, queryset, "disabled", "disabled")

    def _set_status(self, request: HttpRequest, queryset: QuerySet, status: str, done: str) -> None:
        changed = 0
        for policy in queryset.exclude(status=status).order_by("pk").iterator():
            try:
                set_policy_status(policy=policy, status=status)
                changed += 1
            except GovernanceError as error:
                messages.warning(request, f"{policy.name[:80]}: {error}")
        messages.success(request, f"{changed} {done}. It counts from the next scan.")

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        if "severity" in form.changed_data:
            set_policy_severity(policy=Policy.objects.get(pk=obj.pk), severity=obj.severity)


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyDeskModelAdmin):
    list_display = (
        "source_", "kind", "status_", "rows_read", "rows_written", "rows_unchanged", "rows_refused", "started",
    )  # fmt: skip
    list_filter = (choice_filter("status", ("running", "succeeded", "failed", "cancelled")),)
    ordering = ("-started_at", "-id")
    search_fields = ("id", "job_id")

    @display(description="Source")
    def source_(self, row: ImportRun) -> str:
        return shortened(row.source)

    @display(description="Status", label=STATUS_LABELS)
    def status_(self, row: ImportRun) -> str:
        return row.status

    @display(description="Started")
    def started(self, row: ImportRun) -> str:
        return age(row.started_at)
