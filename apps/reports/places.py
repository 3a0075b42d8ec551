"""Where the bundle's audit rows stand in the sealed trail: each of them is in the tree of the receipt's checkpoint.

The rows of a period lie close together in the tree. `places.json` gives the place of each, the hashes of the rows of
other days that stand between them, and the roots of everything around: with the bundle's own leaves they give the
root that was signed. Whoever leaves out a row, or adds one, gets another root.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import connection

from apps.audit.models import AuditCheckpoint
from apps.audit.proofs import stored_nodes
from apps.audit.tree import range_path
from apps.core.context import current_tenant_id, tenant_transaction

from .bundle import write_text
from .period import Period
from .tables import JSON, BundleFile, json_text

PLACES = "places.json"

# In the order of audit/leaves.jsonl.
_PLACES = """
SELECT l.seq FROM audits a JOIN audit_leaves l ON l.tenant_id = a.tenant_id AND l.audit_id = a.id
WHERE a.tenant_id = %s AND a.created_at >= %s AND a.created_at < %s AND l.seq < %s ORDER BY a.created_at, a.id
"""
_BETWEEN = "SELECT seq, leaf FROM audit_leaves WHERE tenant_id = %s AND seq >= %s AND seq <= %s ORDER BY seq"


def write_places(folder: Path, period: Period, checkpoint: AuditCheckpoint) -> list[BundleFile]:
    """places.json: {size, first, places, between: {place: leaf}, around: [root, …]}; nothing without rows."""
    tenant_id = current_tenant_id()
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        cursor.execute(_PLACES, [tenant_id, period.start, period.cut, checkpoint.size])
        places = [seq for (seq,) in cursor.fetchall()]
        if not places:
            return []
        first, last, own = min(places), max(places), set(places)
        cursor.execute(_BETWEEN, [tenant_id, first, last])
        between = {str(seq): bytes(leaf).hex() for seq, leaf in cursor if seq not in own}

        def fetch(sql: str, values: Any) -> list[tuple[Any, ...]]:
            with connection.cursor() as another:
                another.execute(sql, values)
                return list(another.fetchall())

        around = range_path(stored_nodes(tenant_id, fetch), first, last + 1, checkpoint.size)
    told = {
        "size": checkpoint.size,
        "first": first,
        "places": places,
        "between": between,
        "around": [node.hex() for node in around],
    }
    return [write_text(folder, PLACES, json_text(told) + "\n", JSON)]
