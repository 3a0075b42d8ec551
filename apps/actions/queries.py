"""Named querysets of actions."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.fields.json import KT

from .models import Action


def actions_needing_approval() -> QuerySet[Action]:
    """The specification's second sample query (3.5)."""
    # As text, as the sample has it: true and "true" alike.
    return Action.objects.annotate(asks=KT("params__requires_approval")).filter(
        status="preflight", asks="true"
    )
