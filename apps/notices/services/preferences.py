"""What a person gets mail about."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from apps.audit.services import record
from apps.core.errors import InvalidInput
from apps.tenancy.models import User

from ..codes import families
from ..models import Mute


def muted_families(user: User) -> list[str]:
    return sorted(Mute.objects.filter(user=user).values_list("family", flat=True))


def set_muted(*, user: User, muted: Collection[str]) -> list[str]:
    """Mute these families and no others. Raises InvalidInput naming `muted`."""
    unknown = sorted(set(muted) - set(families()))
    if unknown:
        raise InvalidInput(f"There are no such families of notices: {', '.join(unknown)}.", field="muted")
    with transaction.atomic():
        before = set(muted_families(user))
        Mute.objects.filter(user=user, family__in=before - set(muted)).delete()
        Mute.objects.bulk_create(
            [Mute(user=user, family=family) for family in sorted(set(muted) - before)], ignore_conflicts=True
        )
        if before != set(muted):
            told = {"before": sorted(before), "after": sorted(set(muted))}
            record("notices.preferences.changed", user, told)
    return muted_families(user)
