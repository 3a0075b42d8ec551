"""Filters of deliveries and of webhook endpoints."""

from __future__ import annotations

from django.db.models import Q

from apps.core.filters import ChoicesFilter, FlagFilter, StrictFilterSet, TextFilter, at_or_after, before

from .models import CHANNELS, DELIVERY_STATES, Delivery, WebhookEndpoint


class DeliveryFilter(StrictFilterSet):
    status = ChoicesFilter(DELIVERY_STATES, field_name="status")
    channel = ChoicesFilter(CHANNELS, field_name="channel")
    code = TextFilter("notice__code", help_text="What it tells, e.g. exceptions.asked")
    address = TextFilter("address", help_text="Where it goes, whole")
    created_after = at_or_after("created_at")
    created_before = before("created_at")

    class Meta:
        model = Delivery
        fields: list[str] = []


def _active() -> Q:
    return Q(is_active=True)


class EndpointFilter(StrictFilterSet):
    active = FlagFilter(_active)

    class Meta:
        model = WebhookEndpoint
        fields: list[str] = []
