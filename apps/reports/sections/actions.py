"""Actions that were asked for in the period or were not ended when it began.

Status as of an instant is the last one that the audit trail tells; an action without audit rows (written by
hand into the table) is told with the status it has.
"""

from __future__ import annotations

import uuid

from .section import Section

SQL = """
WITH told AS (
    SELECT c.* FROM actions c
    WHERE c.id > %(after_0)s AND c.created_at < %(cut)s
    ORDER BY c.id LIMIT %(size)s
)
SELECT t.id AS key,
       (t.created_at >= %(start)s
           OR coalesce(before.state, CASE WHEN t.updated_at < %(start)s THEN t.status END, '')
              NOT IN ('completed', 'failed', 'rolled_back'))
           AND (%(policy)s::text IS NULL AND %(account)s::text IS NULL AND %(tags)s::jsonb IS NULL OR EXISTS (
               SELECT 1 FROM (
                   SELECT t.resource_id, NULL::uuid AS violation_id
                   UNION ALL SELECT g.resource_id, g.violation_id FROM action_targets g WHERE g.action_id = t.id
               ) touched
               LEFT JOIN resources s ON s.id = touched.resource_id
               LEFT JOIN violation_records v ON v.id = touched.violation_id
               WHERE (%(policy)s::text IS NULL OR v.policy_id = %(policy)s)
                 AND (%(account)s::text IS NULL OR s.account = %(account)s)
                 AND (%(tags)s::jsonb IS NULL OR s.tags @> %(tags)s::jsonb))) AS included,
       t.id AS action_id, t.type, coalesce(latest.state, t.status) AS status,
       coalesce(latest.at, t.created_at) AS status_since, t.resource_id, r.native_id, r.name AS resource_name,
       t.requested_by, u.upn AS requested_by_upn, t.created_at AS requested_at
FROM told t
LEFT JOIN resources r ON r.id = t.resource_id
LEFT JOIN users u ON u.id = t.requested_by
LEFT JOIN LATERAL (
    SELECT a.payload->>'to' AS state, a.created_at AS at FROM audits a
    WHERE a.target_type = 'actions.action' AND a.target_id = t.id::text AND a.payload->>'to' IS NOT NULL
      AND a.created_at < %(cut)s
    ORDER BY a.id DESC LIMIT 1
) latest ON true
LEFT JOIN LATERAL (
    SELECT a.payload->>'to' AS state FROM audits a
    WHERE a.target_type = 'actions.action' AND a.target_id = t.id::text AND a.payload->>'to' IS NOT NULL
      AND a.created_at < %(start)s
    ORDER BY a.id DESC LIMIT 1
) before ON true
ORDER BY t.id
"""

ACTIONS = Section(
    name="actions",
    sql=SQL,
    first=(uuid.UUID(int=0),),
    columns=(
        "action_id",
        "type",
        "status",
        "status_since",
        "resource_id",
        "native_id",
        "resource_name",
        "requested_by",
        "requested_by_upn",
        "requested_at",
    ),
)
