"""Decisions of the period: who asked, who decided, and the digest of what was decided on.

People are named as they were then where the record keeps that, and by upn as it is now elsewhere. A decision never
changes once it is made.
"""

from __future__ import annotations

import uuid

from .section import Section

SQL = """
WITH decided AS (
    (SELECT x.id, 'exception' AS kind, x.id AS subject_id, x.created_by AS requested_by,
            x.requester ->> 'upn' AS requested_by_upn, x.created_at AS requested_at, x.decided_by,
            x.decider ->> 'upn' AS decided_by_upn, x.decider ->> 'role' AS decided_by_role, x.decided_at,
            CASE WHEN x.status = 'rejected' THEN 'rejected' ELSE 'approved' END AS decision,
            x.decision_reason AS reason, x.decision_sha256 AS digest
     FROM exceptions x
     WHERE x.id > %(after_0)s AND x.decided_at >= %(start)s AND x.decided_at < %(cut)s
     ORDER BY x.id LIMIT %(size)s)
    UNION ALL
    (SELECT p.id, 'action', p.action_id, p.requested_by, NULL, a.created_at, p.decided_by, NULL, NULL, p.created_at,
            p.decision, p.reason, p.plan_sha256
     FROM action_approvals p JOIN actions a ON a.id = p.action_id
     WHERE p.id > %(after_0)s AND p.created_at >= %(start)s AND p.created_at < %(cut)s
     ORDER BY p.id LIMIT %(size)s)
)
SELECT d.id AS key, d.id AS decision_id, d.kind, d.subject_id, d.requested_by,
       coalesce(d.requested_by_upn, asker.upn) AS requested_by_upn, d.requested_at, d.decided_by,
       coalesce(d.decided_by_upn, decider.upn) AS decided_by_upn, coalesce(d.decided_by_role, decider.role)
           AS decided_by_role, d.decided_at, d.decision, d.reason, d.digest
FROM decided d
LEFT JOIN users asker ON asker.id = d.requested_by
LEFT JOIN users decider ON decider.id = d.decided_by
ORDER BY d.id LIMIT %(size)s
"""

APPROVALS = Section(
    name="approvals",
    sql=SQL,
    first=(uuid.UUID(int=0),),
    columns=(
        "decision_id",
        "kind",
        "subject_id",
        "decision",
        "requested_by",
        "requested_by_upn",
        "requested_at",
        "decided_by",
        "decided_by_upn",
        "decided_by_role",
        "decided_at",
        "reason",
        "digest",
    ),
)
