"""Waiting until nothing can be added any more to what the report tells.

Every recorded time is `now()`, the start of the transaction that wrote it, so a transaction that began before
the cut may still commit rows from before it. Once none of them is left, the append-only tables up to the cut
never change again. That, and no snapshot held open, is what lets a report be read in many short transactions
and be read again with the same result.
"""

from __future__ import annotations

import time
from datetime import datetime

from django.db import connection

from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import TransientFailure
from apps.jobs.running import JobHandle

WAIT_SECONDS = 60.0
PAUSE_SECONDS = 0.25

# The app role sees the start of its own role's transactions only; nobody else writes what a report tells.
OLDER = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < %s
"""


def settle(cut: datetime, handle: JobHandle) -> None:
    """Return when no transaction from before `cut` is left; raises TransientFailure after a minute."""
    deadline = time.monotonic() + WAIT_SECONDS
    while left := _older_transactions(cut):
        if time.monotonic() > deadline:
            raise TransientFailure(
                f"{left} database transactions that began before {cut.isoformat()} are still open:"
                " what they write would be missing from the report."
            )
        handle.checkpoint(note="waiting for transactions that began before the cut")
        time.sleep(PAUSE_SECONDS)


def _older_transactions(cut: datetime) -> int:
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        cursor.execute(OLDER, [cut])
        return int(cursor.fetchone()[0])
