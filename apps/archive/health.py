"""What the readiness page says of the history: whether a partition is missing or open. It tells of no tenant."""

from __future__ import annotations

from django.db import transaction

from apps.core.health import OK

from .partitions import partition_problems


def look_at_history() -> str:
    with transaction.atomic():
        return "; ".join(partition_problems()) or OK
