"""What `audit verify` asks of reports: each bundle is in the store as it was when its building ended."""

from __future__ import annotations

import json
import uuid

from apps.audit.verification.database import Reader
from apps.audit.verification.findings import Findings
from apps.audit.verification.targets import check_told_of
from apps.evidence.checking import check_artifact

_BATCH = 200
_REPORTS = """
SELECT r.id, r.object_key, r.version_id, r.sha256, r.manifest ->> 'manifest_sha256', u.payload::text
FROM reports r
LEFT JOIN LATERAL (
    SELECT u.payload FROM audits u
    WHERE u.tenant_id = r.tenant_id AND u.target_type = 'reports.report' AND u.target_id = r.id::text
        AND u.action = 'reports.report.succeeded'
    ORDER BY u.created_at DESC, u.id DESC LIMIT 1
) u ON true
WHERE r.tenant_id = %s AND (r.status = 'succeeded' OR u.payload IS NOT NULL) AND r.id > %s ORDER BY r.id LIMIT %s
"""


def check_reports(tenant_id: uuid.UUID, using: str, found: Findings) -> None:
    """Codes told-and-gone, manifest-edited, artifact-missing, artifact-swapped."""
    check_told_of(tenant_id, using, found, target_type="reports.report", table="reports", what="the report")
    reader, after = Reader(tenant_id, using), uuid.UUID(int=0)
    while rows := reader.fetch(_REPORTS, [tenant_id, after, _BATCH]):
        for report_id, key, version_id, sha256, manifest, said in rows:
            where = f"the report {report_id}"
            if said is not None:
                told = json.loads(said)
                sealed = tuple(told.get(n) for n in ("path", "version_id", "sha256", "manifest_sha256"))
                if sealed != (key, version_id, sha256, manifest):
                    what = "what its row says of the bundle is not what was sealed when it was built"
                    found.add("manifest-edited", tenant_id, where, what)
            check_artifact(
                tenant_id,
                key,
                version_id,
                sha256,
                where=where,
                tell=lambda code, place, what: found.add(code, tenant_id, place, what),
            )
        after = rows[-1][0]
