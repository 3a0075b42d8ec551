"""Exceptions asked for, decided or in force in the period, with their status as of the cut.

A decision and its term never change once made (the database sees to it); when an approved one ended is told
by its audit row. Whoever asked and decided is named by id, which stays, and by upn, which may be erased.
"""

from __future__ import annotations

import uuid

from .section import Section

SQL = """
WITH told AS (
    SELECT x.*,
           x.decided_at < %(cut)s AS decided,
           CASE WHEN x.status = 'rejected' THEN 'rejected' ELSE 'approved' END AS outcome,
           least(x.expires_at, (
               SELECT min(a.created_at) FROM audits a
               WHERE a.target_type = 'findings.policyexception' AND a.target_id = x.id::text
                 AND a.payload->>'to' = 'expired'
           )) AS ends_at
    FROM exceptions x
    WHERE x.id > %(after_0)s AND x.created_at < %(cut)s
    ORDER BY x.id LIMIT %(size)s
)
SELECT t.id AS key,
       (t.created_at >= %(start)s
           OR coalesce(t.decided AND t.decided_at >= %(start)s, false)
           OR coalesce(t.decided AND t.outcome = 'approved', false)
              AND coalesce(t.ends_at >= %(start)s, true))
           -- One that names no policy, or no resource, speaks of any.
           AND (%(policy)s::text IS NULL OR coalesce(t.policy_id = %(policy)s, true))
           AND (t.resource_id IS NULL
                OR (%(account)s::text IS NULL OR r.account = %(account)s)
                   AND (%(tags)s::jsonb IS NULL OR r.tags @> %(tags)s::jsonb)) AS included,
       t.id AS exception_id,
       CASE WHEN t.decided AND t.outcome = 'rejected' THEN 'rejected'
            WHEN t.ends_at <= %(cut)s THEN 'expired'
            WHEN t.decided THEN 'approved'
            ELSE 'pending' END AS status,
       t.policy_id, p.name AS policy_name, t.resource_id, r.native_id, r.name AS resource_name,
       t.selector::text AS selector, t.reason, t.compensating_control, t.renews, t.renewal,
       t.created_by AS requested_by, asker.upn AS requested_by_upn,
       t.created_at AS requested_at,
       CASE WHEN t.decided THEN t.outcome END AS decision,
       CASE WHEN t.decided THEN t.decided_by END AS decided_by,
       CASE WHEN t.decided THEN decider.upn END AS decided_by_upn,
       CASE WHEN t.decided THEN t.decided_at END AS decided_at,
       CASE WHEN t.decided THEN t.decision_reason END AS decision_reason,
       t.expires_at,
       CASE WHEN t.ends_at <= %(cut)s AND NOT (t.decided AND t.outcome = 'rejected')
            THEN t.ends_at END AS ended_at,
       t.subject_sha256, CASE WHEN t.decided THEN t.decision_sha256 END AS decision_sha256
FROM told t
LEFT JOIN policies p ON p.id = t.policy_id
LEFT JOIN resources r ON r.id = t.resource_id
LEFT JOIN users asker ON asker.id = t.created_by
LEFT JOIN users decider ON decider.id = t.decided_by
ORDER BY t.id
"""

EXCEPTIONS = Section(
    name="exceptions",
    sql=SQL,
    first=(uuid.UUID(int=0),),
    columns=(
        "exception_id",
        "status",
        "policy_id",
        "policy_name",
        "resource_id",
        "native_id",
        "resource_name",
        "selector",
        "reason",
        "compensating_control",
        "renews",
        "renewal",
        "requested_by",
        "requested_by_upn",
        "requested_at",
        "decision",
        "decided_by",
        "decided_by_upn",
        "decided_at",
        "decision_reason",
        "expires_at",
        "ended_at",
        "subject_sha256",
        "decision_sha256",
    ),
)
