"""Ahead of its end an exception's requester and the approvers are warned, each time once."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from apps.core.db.fields import TransactionNow

from ..models import PolicyException
from .exception_notices import tell_expiring
from .exception_rules import exception_rules

BATCH = 500


def warn_of_expiry() -> int:
    """The sweep: one notice for the nearest warning that is due, also where an earlier one was missed."""
    warned = 0
    for days in sorted(exception_rules().warn_days):
        soon = PolicyException.objects.filter(
            Q(warned_days__isnull=True) | Q(warned_days__gt=days),
            status="approved",
            expires_at__gt=TransactionNow(),
            expires_at__lte=TransactionNow() + timedelta(days=days),
        )
        # Asked for a term shorter than the warning: who decided a moment ago needs no reminder of it.
        for exception in soon.select_related("policy", "resource", "created_by").order_by("expires_at")[
            :BATCH
        ]:
            PolicyException.objects.filter(pk=exception.pk).update(warned_days=days)
            if exception.decided_at and timezone.now() - exception.decided_at >= timedelta(hours=1):
                tell_expiring(exception, days)
                warned += 1
    return warned
