"""How far sealing lags behind: of all tenants for the health page, of one for its own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from apps.core.context import current_tenant_id
from apps.core.health import OK

from .options import options

PLATFORM = "SELECT waiting, oldest, anchored_at FROM audit_seal_state()"
TENANT = """
SELECT count(*), min(w.since),
       (SELECT max(anchored_at) FROM audit_checkpoints WHERE tenant_id = %(t)s)
FROM (
    (SELECT a.created_at AS since FROM audits a WHERE a.tenant_id = %(t)s AND (a.xid, a.id) > (
        coalesce((SELECT read_xid FROM audit_chains WHERE tenant_id = %(t)s), '0'::xid8),
        coalesce((SELECT read_id FROM audit_chains WHERE tenant_id = %(t)s), '00000000-0000-0000-0000-000000000000')
    ) ORDER BY a.xid LIMIT 1000)
    UNION ALL
    SELECT sealed_at FROM audit_checkpoints WHERE tenant_id = %(t)s AND anchored_at IS NULL
) w
"""


@dataclass(frozen=True)
class Lag:
    """`waiting` rows and checkpoints are not sealed and anchored yet (counted to 1,000 a tenant)."""

    waiting: int
    oldest: datetime | None
    anchored_at: datetime | None

    @property
    def age(self) -> timedelta:
        return timezone.now() - self.oldest if self.oldest else timedelta()

    @property
    def is_late(self) -> bool:
        return self.age > timedelta(seconds=options().alarm_seconds)

    def __str__(self) -> str:
        if not self.waiting:
            return "nothing waits to be sealed"
        seconds = int(self.age.total_seconds())
        last = (
            f"the last checkpoint is of {self.anchored_at:%Y-%m-%d %H:%M:%S} UTC"
            if self.anchored_at
            else ("nothing was ever sealed")
        )
        return f"{self.waiting} wait to be sealed, the oldest for {seconds} s; {last}"


def platform_lag() -> Lag:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PLATFORM)
        return Lag(*cursor.fetchone())


def tenant_lag() -> Lag:
    """Of the context's tenant."""
    with connection.cursor() as cursor:
        cursor.execute(TENANT, {"t": current_tenant_id()})
        return Lag(*cursor.fetchone())


def health() -> str:
    lag = platform_lag()
    return f"degraded: {lag}; the alarm is at {options().alarm_seconds} s" if lag.is_late else OK
