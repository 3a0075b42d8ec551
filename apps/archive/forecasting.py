"""How much of the stores a tenant takes, how fast that grows, and where it will be.

Rows are counted; their bytes are the table's own average (its size over its rows, by PostgreSQL's statistics), for a
table holds many tenants. Growth is what came in the last thirty days, and the forecast goes on with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from apps.core.context import current_tenant_id, tenant_transaction
from apps.evidence.holding import list_versions
from apps.evidence.options import options
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

JOB_TYPE = "archive.forecast"
WINDOW = timedelta(days=30)
HORIZONS = (90, 365)
# table → (when a row of it came, what it holds in a person's words).
MEASURED = {
    "resources": ("created_at", "Resources"),
    "violations": ("first_seen", "Violations"),
    "violations_history": ("archived_at", "Violations, archived"),
    "violation_events": ("recorded_at", "Events of violations"),
    "recommendations": ("created_at", "Recommendations"),
    "actions": ("created_at", "Actions"),
    "action_events": ("ts", "Lines of actions"),
    "action_events_history": ("archived_at", "Lines of actions, archived"),
    "audits": ("created_at", "Audit trail"),
    "jobs": ("created_at", "Jobs"),
    "cost_lines": ("day", "Cost lines"),
    "cost_timeseries": ("day", "Cost series"),
}
HISTORY = ("violations_history", "action_events_history")


@dataclass(frozen=True)
class Measure:
    """`rows` may be objects; `grown` is how many of them came in the last thirty days, `grown_bytes` their size."""

    name: str
    what: str
    area: str
    rows: int
    bytes: int
    grown: int
    grown_bytes: int

    def as_dict(self) -> dict[str, Any]:
        daily = self.grown_bytes / WINDOW.days
        ahead = {f"bytes_in_{days}_days": int(self.bytes + daily * days) for days in HORIZONS}
        return {
            "name": self.name, "what": self.what, "area": self.area, "rows": self.rows, "bytes": self.bytes,
            "rows_a_day": round(self.grown / WINDOW.days, 1), "bytes_a_day": int(daily), **ahead,
        }  # fmt: skip


def request_forecast() -> Job:
    return enqueue(JOB_TYPE)


def forecast(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler: {measured_at, measures: [...], total: {...}}."""
    measures: list[Measure] = []
    for number, (table, (moment, what)) in enumerate(MEASURED.items()):
        handle.checkpoint(number, len(MEASURED) + 1, what)
        measures.append(_of_table(table, moment, what))
    handle.checkpoint(len(MEASURED), len(MEASURED) + 1, "objects")
    measures.append(_of_objects())
    told = [measure.as_dict() for measure in measures]
    sums = ("rows", "bytes", "bytes_a_day", *(f"bytes_in_{days}_days" for days in HORIZONS))
    return {
        "measured_at": datetime.now(UTC).isoformat(),
        "measures": told,
        "total": {name: sum(measure[name] for measure in told) for name in sums},
    }


# A partitioned table has no size of its own, and neither has a hypertable: their parts have.
_SIZE = """
WITH RECURSIVE parts AS (
    SELECT to_regclass(%(table)s)::oid AS oid
    UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN parts p ON p.oid = i.inhparent
)
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint, coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint
FROM parts JOIN pg_class c USING (oid)
"""


def _of_table(table: str, moment: str, what: str) -> Measure:
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        values: dict[str, Any] = {
            "tenant": current_tenant_id(),
            "table": table,
            "since": datetime.now(UTC) - WINDOW,
        }
        cursor.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {moment} >= %(since)s) FROM {table} WHERE tenant_id = %(tenant)s",  # noqa: S608
            values,
        )
        rows, grown = cursor.fetchone()
        cursor.execute(_SIZE, values)
        size, known = cursor.fetchone()
    each = size / max(known, rows, 1)
    area = "history" if table in HISTORY else "hot"
    return Measure(table, what, area, rows, int(rows * each), grown, int(grown * each))


def _of_objects() -> Measure:
    since, rows, size, grown, grown_size = datetime.now(UTC) - WINDOW, 0, 0, 0, 0
    for version in list_versions(options().bucket, f"tenants/{current_tenant_id()}/"):
        rows, size = rows + 1, size + version.size
        if version.modified >= since:
            grown, grown_size = grown + 1, grown_size + version.size
    return Measure("objects", "Evidence and reports", "objects", rows, size, grown, grown_size)
