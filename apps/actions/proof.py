"""What `audit verify` asks of actions: their evidence is in the store, and their manifests are as they were sealed."""

from __future__ import annotations

import json
import uuid

from apps.audit.verification.database import Reader
from apps.audit.verification.findings import Findings
from apps.audit.verification.targets import check_told_of
from apps.evidence.checking import check_artifact

from .evidence import manifest_of, manifest_sha256

_BATCH = 200
# The trail says whether it has ended, not the row's own status, which whoever edits the manifest edits as well.
_ACTIONS = """
SELECT a.id, a.result::text, u.payload ->> 'manifest_sha256'
FROM actions a
LEFT JOIN LATERAL (
    SELECT u.payload FROM audits u
    WHERE u.tenant_id = a.tenant_id AND u.target_type = 'actions.action' AND u.target_id = a.id::text
        AND u.action IN ('actions.action.queued', 'actions.action.preflight', 'actions.action.in_progress',
            'actions.action.verifying', 'actions.action.completed', 'actions.action.failed',
            'actions.action.rolled_back')
    ORDER BY u.created_at DESC, u.id DESC LIMIT 1
) u ON true
WHERE a.tenant_id = %s AND a.id > %s ORDER BY a.id LIMIT %s
"""


def check_actions(tenant_id: uuid.UUID, using: str, found: Findings) -> None:
    """Codes told-and-gone, manifest-edited, artifact-missing, artifact-swapped."""
    check_told_of(tenant_id, using, found, target_type="actions.action", table="actions", what="the action")
    reader, after = Reader(tenant_id, using), uuid.UUID(int=0)
    while rows := reader.fetch(_ACTIONS, [tenant_id, after, _BATCH]):
        for action_id, text, sealed in rows:
            result = json.loads(text) if text else None
            where = f"the action {action_id}"
            if sealed is not None and manifest_sha256(result) != sealed:
                what = f"its manifest is not the one that was sealed when it ended (SHA-256 {sealed})"
                found.add("manifest-edited", tenant_id, where, what)
            for entry in manifest_of(result):
                check_artifact(
                    tenant_id,
                    str(entry.get("path")),
                    str(entry.get("version_id")),
                    str(entry.get("sha256")),
                    where=f"{where}, {entry.get('name')}",
                    tell=lambda code, place, what: found.add(code, tenant_id, place, what),
                )
        after = rows[-1][0]
