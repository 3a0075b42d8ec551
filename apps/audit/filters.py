"""Filters of the audit trail."""

from __future__ import annotations

from apps.core.filters import PrefixFilter, StrictFilterSet, TextFilter, at_or_after, before

from .models import Audit, AuditCheckpoint


class AuditFilter(StrictFilterSet):
    action = PrefixFilter("action", help_text="The audit code begins with this, e.g. findings.exception")
    actor = TextFilter("actor", help_text="user:<id>, token:<id> or system:<component>")
    target_type = TextFilter("target_type", help_text="e.g. findings.policyexception")
    target = TextFilter("target_id", help_text="Id of the object acted on")
    created_after = at_or_after("created_at")
    created_before = before("created_at")

    class Meta:
        model = Audit
        fields: list[str] = []


class CheckpointFilter(StrictFilterSet):
    sealed_after = at_or_after("sealed_at")
    sealed_before = before("sealed_at")

    class Meta:
        model = AuditCheckpoint
        fields: list[str] = []
