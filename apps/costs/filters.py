"""Filters of the cost series."""

from __future__ import annotations

from apps.core.filters import DayFilter, PrefixFilter, StrictFilterSet, TextFilter

from .models import CostDay


class CostFilter(StrictFilterSet):
    service = PrefixFilter("service", help_text="The service's name begins with this; case counts")
    resource = TextFilter("resource_id", help_text="Id of a resource")
    day_from = DayFilter("day", "gte", help_text="On or after this day")
    day_to = DayFilter("day", "lte", help_text="On or before this day")

    class Meta:
        model = CostDay
        fields: list[str] = []
