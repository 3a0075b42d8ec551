"""Violations with any life in the period, with their status as of the cut.

Told from `violation_events`, which nobody can change, not from the rows of today: a violation that has been
removed since is still told. The state after an event is the status that it left behind, or its kind's (see
_STATES); the last one before an instant decides, in the order of the events' times and ids.
"""

from __future__ import annotations

import uuid

from .section import Row, Section

_STATES = {
    "opened": "open",
    "reopened": "open",
    "unexcepted": "open",
    "lapsed": "open",
    "excepted": "excepted",
    "suppressed": "excepted",
    "open": "open",
    "fixed": "fixed",
    "removed": "removed",
}

# An exception that ran out by the clock counts as over although its sweep may have come later: who was covered
# until when is told by the decisions, which never change once they are made, and by their audit rows.
SQL = """
WITH ids AS (
    SELECT DISTINCT violation_id FROM violation_events
    WHERE violation_id > %(after_0)s AND at < %(cut)s
    ORDER BY violation_id LIMIT %(size)s
), lives AS (
    SELECT e.violation_id,
           (array_agg(coalesce(nullif(e.status, ''), e.kind) ORDER BY e.at DESC, e.id DESC))[1] AS kind,
           (array_agg(e.at ORDER BY e.at DESC, e.id DESC))[1] AS since,
           (array_agg(e.suppressed_until ORDER BY e.at DESC, e.id DESC))[1] AS until,
           (array_agg(e.exception_id ORDER BY e.at DESC, e.id DESC))[1] AS exception_id,
           (array_agg(e.severity ORDER BY e.at DESC, e.id DESC))[1] AS severity,
           (array_agg(e.policy_id ORDER BY e.at DESC, e.id DESC))[1] AS policy_id,
           (array_agg(e.resource_id ORDER BY e.at DESC, e.id DESC))[1] AS resource_id,
           (array_agg(CASE WHEN e.suppressed_until < %(start)s THEN 'open'
                           ELSE coalesce(nullif(e.status, ''), e.kind) END
                      ORDER BY e.at DESC, e.id DESC) FILTER (WHERE e.at < %(start)s))[1] AS kind_at_start,
           min(e.at) AS opened_at,
           count(*) FILTER (WHERE e.kind = 'opened' AND e.at >= %(start)s) AS times_opened,
           count(*) FILTER (WHERE e.kind = 'reopened' AND e.at >= %(start)s) AS times_reopened,
           count(*) FILTER (WHERE e.kind = 'fixed' AND e.at >= %(start)s) AS times_fixed,
           bool_or(e.at >= %(start)s AND e.kind NOT IN ('fixed', 'removed')) AS lived
    FROM violation_events e JOIN ids USING (violation_id)
    WHERE e.at < %(cut)s
    GROUP BY e.violation_id
), granted AS MATERIALIZED (
    SELECT x.policy_id, x.resource_id, least(x.expires_at, (
        SELECT min(a.created_at) FROM audits a
        WHERE a.target_type = 'findings.policyexception' AND a.target_id = x.id::text
          AND a.payload->>'to' = 'expired'
    )) AS ends_at
    FROM exceptions x
    WHERE x.decided_at < %(cut)s AND x.status IN ('approved', 'expired') AND x.selector IS NULL
)
SELECT l.violation_id AS key,
       (l.lived OR coalesce(l.kind_at_start NOT IN ('fixed', 'removed'), false))
           AND (%(policies)s::text[] IS NULL OR l.policy_id = ANY(%(policies)s))
           AND (%(policy)s::text IS NULL OR l.policy_id = %(policy)s)
           AND (%(account)s::text IS NULL OR r.account = %(account)s)
           AND (%(tags)s::jsonb IS NULL OR r.tags @> %(tags)s::jsonb) AS included,
       l.violation_id, l.kind, l.kind_at_start, l.since,
       CASE WHEN l.kind IN ('excepted', 'suppressed')
            THEN coalesce(CASE WHEN l.until < %(cut)s THEN l.until END, g.lapsed_at) END AS lapsed_at,
       l.exception_id, l.severity, l.policy_id,
       p.name AS policy_name, l.resource_id, r.native_id, r.name AS resource_name, r.provider,
       r.type AS resource_type, r.account, coalesce(v.first_seen, l.opened_at) AS first_seen,
       l.times_opened, l.times_reopened, l.times_fixed, v.reason
FROM lives l
LEFT JOIN violation_records v ON v.id = l.violation_id
LEFT JOIN resources r ON r.id = l.resource_id
LEFT JOIN policies p ON p.id = l.policy_id
LEFT JOIN LATERAL (
    SELECT CASE WHEN bool_and(coalesce(ends_at <= %(cut)s, false)) THEN max(ends_at) END AS lapsed_at
    FROM granted
    WHERE l.kind IN ('excepted', 'suppressed') AND (granted.policy_id IS NULL OR granted.policy_id = l.policy_id)
      AND (granted.resource_id IS NULL OR granted.resource_id = l.resource_id)
) g ON true
ORDER BY l.violation_id
"""


def _complete(row: Row) -> None:
    lapsed_at = row.pop("lapsed_at")
    kind = row.pop("kind")
    row["status"] = "open" if lapsed_at else _STATES[kind]
    row["status_since"] = lapsed_at or row.pop("since")
    if row["status"] != "excepted":
        row["exception_id"] = None
    at_start = row.pop("kind_at_start")
    row["status_at_start"] = _STATES[at_start] if at_start else ""


VIOLATIONS = Section(
    name="violations",
    sql=SQL,
    first=(uuid.UUID(int=0),),
    complete=_complete,
    columns=(
        "violation_id",
        "status",
        "status_since",
        "status_at_start",
        "severity",
        "policy_id",
        "policy_name",
        "resource_id",
        "native_id",
        "resource_name",
        "provider",
        "resource_type",
        "account",
        "exception_id",
        "first_seen",
        "times_opened",
        "times_reopened",
        "times_fixed",
        "reason",
    ),
)
