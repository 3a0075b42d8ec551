"""Filters of jobs."""

from __future__ import annotations

from apps.core.filters import ChoicesFilter, StrictFilterSet, TextFilter, at_or_after, before

from .models import STATES, Job
from .registry import QUEUES


class JobFilter(StrictFilterSet):
    status = ChoicesFilter(STATES, field_name="status")
    type = TextFilter("type")
    queue = ChoicesFilter(QUEUES, field_name="queue")
    actor = TextFilter("created_by", help_text="user:<id>, token:<id> or system:<component>")
    created_after = at_or_after("created_at")
    created_before = before("created_at")

    class Meta:
        model = Job
        fields: list[str] = []
