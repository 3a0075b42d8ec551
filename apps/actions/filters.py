"""Filters of actions."""

from __future__ import annotations

import django_filters

from apps.core.filters import ChoicesFilter, StrictFilterSet, TextFilter, at_or_after, before

from .models import ACTION_STATES, Action


class ActionFilter(StrictFilterSet):
    status = ChoicesFilter(ACTION_STATES, field_name="status")
    type = TextFilter("type")
    resource = TextFilter("resource_id", help_text="Id of a resource")
    requester = django_filters.UUIDFilter("requested_by_id", help_text="Id of the user who asked")
    updated_after = at_or_after("updated_at")
    updated_before = before("updated_at")

    class Meta:
        model = Action
        fields: list[str] = []
