"""Rows that the trail tells of and that nobody may delete: each must still be there."""

from __future__ import annotations

import uuid

from .database import Reader
from .findings import Findings

_BATCH = 500
# In the order of the trail's index of targets; an id that is none (of a command's own making) is told of by no row.
_GONE = """
SELECT t.target_id FROM (
    SELECT DISTINCT a.target_id FROM audits a
    WHERE a.tenant_id = %s AND a.target_type = %s AND a.target_id > %s ORDER BY a.target_id LIMIT %s
) t
LEFT JOIN {table} r ON r.tenant_id = %s AND r.id::text = t.target_id
WHERE r.id IS NULL ORDER BY t.target_id
"""
_LAST = """
SELECT max(t.target_id) FROM (
    SELECT DISTINCT a.target_id FROM audits a
    WHERE a.tenant_id = %s AND a.target_type = %s AND a.target_id > %s ORDER BY a.target_id LIMIT %s
) t
"""


def check_told_of(
    tenant_id: uuid.UUID, using: str, found: Findings, *, target_type: str, table: str, what: str
) -> None:
    """Code told-and-gone, for each id of `target_type` in the tenant's trail that `table` has no row for."""
    reader, after = Reader(tenant_id, using), ""
    while True:
        part = [tenant_id, target_type, after, _BATCH]
        for (gone,) in reader.fetch(_GONE.format(table=table), [*part, tenant_id]):
            found.add(
                "told-and-gone",
                tenant_id,
                f"{what} {gone}",
                f"the trail tells of it, and {table} has it no more",
            )
        ((last,),) = reader.fetch(_LAST, part)
        if last is None:
            return
        after = last
