"""Filters of evidence reports."""

from __future__ import annotations

from apps.catalog.filters import RUN_STATES
from apps.core.filters import ChoicesFilter, DayFilter, StrictFilterSet, at_or_after, before

from .models import Report


class ReportFilter(StrictFilterSet):
    status = ChoicesFilter(("queued", *RUN_STATES), field_name="status")
    period_from = DayFilter("period_from", "gte", help_text="Period begins on or after this day")
    period_to = DayFilter("period_to", "lte", help_text="Period ends on or before this day")
    created_after = at_or_after("created_at")
    created_before = before("created_at")

    class Meta:
        model = Report
        fields: list[str] = []
