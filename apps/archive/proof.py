"""What `audit verify` asks of the history: each segment that the trail tells of is there, as it was moved.

A partition that was dropped or detached shows as its segments missing; so does a single row, as a segment that is
not what it was; and a segment that no audit row tells of was put there by somebody else.
"""

from __future__ import annotations

import uuid
from datetime import date

from apps.audit.verification.database import Reader
from apps.audit.verification.findings import Findings
from apps.audit.verification.rows import row_name

from .moving import SEGMENT
from .partitions import partition_name
from .tables import TABLES

_BATCH = 500
# In the order of the trail's index of targets: there are few of them in a long trail.
_SEALED = """
SELECT id, target_id, payload ->> 'table', payload ->> 'quarter', payload ->> 'rows', payload ->> 'sha256'
FROM audits
WHERE tenant_id = %s AND target_type = 'archive.segment' AND action = %s AND (target_id, id) > (%s, %s)
ORDER BY target_id, id LIMIT %s
"""
_PARTITION = """
SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass(%s) AND c.relname = %s
"""
_UNTOLD = """
SELECT s.segment_id, s.n FROM (
    SELECT h.segment_id, count(*) AS n FROM {table} h WHERE h.tenant_id = %s GROUP BY h.segment_id OFFSET 0
) s
WHERE NOT EXISTS (
    SELECT 1 FROM audits a WHERE a.tenant_id = %s AND a.action = %s
      AND a.target_type = 'archive.segment' AND a.target_id = s.segment_id::text)
ORDER BY s.segment_id LIMIT 100
"""


def check_segments(tenant_id: uuid.UUID, using: str, found: Findings) -> None:
    """Codes partition-dropped, history-missing, history-edited, history-untold, history-unreadable."""
    reader, names = Reader(tenant_id, using), {table.name: table for table in TABLES}
    dropped: set[tuple[str, str]] = set()
    after = ("", uuid.UUID(int=0))
    while told := reader.fetch(_SEALED, [tenant_id, SEGMENT, *after, _BATCH]):
        for id_, segment, name, quarter, number, sha256 in told:
            after = (segment, id_)
            try:
                segment_id = uuid.UUID(segment)
                table, rows = names[name], int(number)
                partition = partition_name(name, date.fromisoformat(quarter))
            except (KeyError, TypeError, ValueError):
                # Written past the application; by whom, the trail may tell.
                what = f"tells of a segment of the history ({segment[:80]!r}) that can't be"
                found.add("history-unreadable", tenant_id, row_name(id_), what, id_)
                continue
            if (name, partition) in dropped:
                continue
            ((there, seen),) = reader.fetch(table.digest, [tenant_id, segment_id])
            if (there, seen) == (rows, sha256):
                continue
            ((attached,),) = reader.fetch(_PARTITION, [name, partition])
            where = f"{name}, segment {segment} of {quarter}"
            if not attached:
                dropped.add((name, partition))
                found.add(
                    "partition-dropped", tenant_id, partition, f"{name} has no partition {partition} any more"
                )
            elif there < rows:
                found.add(
                    "history-missing",
                    tenant_id,
                    where,
                    f"{there} of the {rows} rows that were moved are there",
                )
            else:
                found.add(
                    "history-edited",
                    tenant_id,
                    where,
                    f"its {there} rows are not those that were moved (SHA-256 {sha256})",
                )
    for table in TABLES:
        for segment, rows in reader.fetch(_UNTOLD.format(table=table.name), [tenant_id, tenant_id, SEGMENT]):
            where = f"{table.name}, segment {segment}"
            found.add("history-untold", tenant_id, where, f"no audit row tells of these {rows} rows")
