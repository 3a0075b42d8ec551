"""Filters of API tokens."""

from __future__ import annotations

from django.db.models import Q

from apps.core.filters import FlagFilter, StrictFilterSet

from .models import ApiToken


def _revoked() -> Q:
    return Q(revoked_at__isnull=False)


class TokenFilter(StrictFilterSet):
    revoked = FlagFilter(_revoked)

    class Meta:
        model = ApiToken
        fields: list[str] = []
