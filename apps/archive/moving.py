"""Moving what was closed before a tenant's hot window into the history, in batches.

A batch is a transaction: its rows are in one of the two tables whatever is killed, and its audit row is there with
them. It takes the scans' turn, so that no scan writes to a violation that is on its way.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from apps.audit.services import record
from apps.core.context import current_tenant_id, tenant_transaction
from apps.findings.services.turns import one_scan_at_a_time
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from .partitions import make_ahead
from .tables import TABLES, VIOLATIONS, HistoryTable
from .window import hot_days

JOB_TYPE = "archive.move"
SEGMENT = "archive.segment"
BATCH = 2000


@dataclass(frozen=True)
class Due:
    """What could be moved now: rows, and when the oldest was closed."""

    rows: int
    oldest: datetime | None


def due(table: HistoryTable) -> Due:
    with connection.cursor() as cursor:
        cursor.execute(table.due, {"tenant": current_tenant_id()})
        return Due(*cursor.fetchone())


def request_move() -> Job:
    """Have the context's tenant's closed rows moved."""
    return enqueue(JOB_TYPE)


def start_due_moves() -> int:
    """The sweep: once a day a tenant, where anything is due. The window holds to the day; the history's parts are
    quarters."""
    today = datetime.now(UTC).date()
    key = f"{JOB_TYPE}:{today}"
    if Job.objects.filter(idempotency_key=key).exists() or not any(due(table).rows for table in TABLES):
        return 0
    enqueue(JOB_TYPE, idempotency_key=key)
    return 1


def move_closed(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler: {table: rows moved}."""
    tenant_id = current_tenant_id()
    with tenant_transaction(tenant_id):
        make_ahead()
        totals = {table.name: due(table).rows for table in TABLES}
    moved = dict.fromkeys(totals, 0)
    for table in TABLES:
        while rows := move_batch(table):
            moved[table.name] += rows
            done, total = sum(moved.values()), sum(totals.values())
            handle.checkpoint(done, max(done, total), table.what)
    return moved


def move_batch(table: HistoryTable, at_most: int = BATCH) -> int:
    """Move one batch of the context's tenant; how many rows it had. Not inside a transaction."""
    with _turn(table) as cursor:
        cursor.execute(f"SELECT segment, quarter, moved FROM {table.move}(%s)", [at_most])  # noqa: S608
        batch: tuple[uuid.UUID, date, int] | None = cursor.fetchone()
        if batch is None:
            return 0
        segment, quarter, moved = batch
        cursor.execute(table.digest, [current_tenant_id(), segment])
        rows, sha256 = cursor.fetchone()
        told = {"table": table.name, "quarter": quarter, "rows": rows, "sha256": sha256}
        record(SEGMENT, ("archive.segment", str(segment)), told)
    return moved


@contextmanager
def _turn(table: HistoryTable) -> Iterator[Any]:
    if table is VIOLATIONS:
        with one_scan_at_a_time(current_tenant_id()) as cursor:
            yield cursor
    else:
        with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
            yield cursor


def overdue(days: int = 2) -> list[str]:
    """In words: what the context's tenant's window should have moved days ago and did not."""
    found = []
    for table in TABLES:
        waiting = due(table)
        if waiting.rows and waiting.oldest is not None:
            late = datetime.now(UTC) - waiting.oldest
            if late > timedelta(days=hot_days() + days):
                found.append(
                    f"{waiting.rows:,} {table.what} wait for the history, the oldest of {waiting.oldest:%Y-%m-%d}"
                )
    return found
