"""Rows that the trail tells of and that nobody may delete: each must still be there."""

from __future__ import annotations

import uuid

from .database import Reader
from .findings import Findings

_BATCH = 500
# In the order of the trail's index of targets. By the row's own key, never by its text: no index has that.
_TOLD = """
SELECT t.target_id, r.id IS NULL FROM (
    SELECT DISTINCT a.target_id FROM audits a
    WHERE a.tenant_id = %s AND a.target_type = %s AND a.target_id > %s ORDER BY a.target_id LIMIT %s
) t
LEFT JOIN {table} r ON r.tenant_id = %s
    AND r.id = CASE WHEN t.target_id ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' THEN t.target_id::uuid END
ORDER BY t.target_id
"""


def check_told_of(
    tenant_id: uuid.UUID, using: str, found: Findings, *, target_type: str, table: str, what: str
) -> None:
    """Code told-and-gone, for each id of `target_type` in the tenant's trail that `table` has no row for."""
    reader, after = Reader(tenant_id, using), ""
    while told := reader.fetch(_TOLD.format(table=table), [tenant_id, target_type, after, _BATCH, tenant_id]):
        for target_id, gone in told:
            if gone:
                said = f"the trail tells of it, and {table} has it no more"
                found.add("told-and-gone", tenant_id, f"{what} {target_id}", said)
        after = told[-1][0]
