"""Whose turn it is to write violations: one scan of a tenant at a time, whichever kind it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from apps.core.context import tenant_transaction
from apps.core.db.plans import forget_plans

STATEMENT_TIMEOUT = "15min"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('scans.policy'), hashtext(%s))"


@contextmanager
def one_scan_at_a_time(tenant_id: uuid.UUID) -> Iterator[Any]:
    """A transaction with a cursor, in which no other scan of the tenant writes. Not inside a transaction."""
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        # Compiling a statement of many policies to machine code takes longer than running it.
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'; SET LOCAL jit = off")
        cursor.execute(_LOCK, [str(tenant_id)])
        forget_plans(cursor)
        yield cursor
