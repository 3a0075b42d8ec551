"""Violations with any life in the period, with their status as of the cut.

Told from `violation_events`, which nobody can change, not from the rows of today: a violation that has been
removed since is still told. The state after an event is its kind's (see _STATES); the last one before an
instant decides, in the order of the events' ids, which follow the lock on the violation's row.
"""

from __future__ import annotations

import uuid

from .section import Row, Section

_STATES = {
    "opened": "open",
    "reopened": "open",
    "unexcepted": "open",
    "excepted": "excepted",
    "fixed": "fixed",
    "removed": "removed",
}
_ALIVE = ("open", "excepted")

# An exception that ran out by the clock counts as over although its sweep may have come later: who is covered
# is told by the decisions, which never change once they are made.
SQL = """
WITH ids AS (
    SELECT DISTINCT violation_id FROM violation_events
    WHERE violation_id > %(after_0)s AND at < %(cut)s
    ORDER BY violation_id LIMIT %(size)s
), lives AS (
    SELECT e.violation_id,
           (array_agg(e.kind ORDER BY e.id DESC))[1] AS kind,
           (array_agg(e.at ORDER BY e.id DESC))[1] AS status_since,
           (array_agg(e.severity ORDER BY e.id DESC))[1] AS severity,
           (array_agg(e.policy_id ORDER BY e.id DESC))[1] AS policy_id,
           (array_agg(e.resource_id ORDER BY e.id DESC))[1] AS resource_id,
           (array_agg(e.kind ORDER BY e.id DESC) FILTER (WHERE e.at < %(start)s))[1] AS kind_at_start,
           min(e.at) AS opened_at,
           count(*) FILTER (WHERE e.kind = 'reopened' AND e.at >= %(start)s) AS reopened,
           count(*) FILTER (WHERE e.kind = 'fixed' AND e.at >= %(start)s) AS fixed,
           bool_or(e.at >= %(start)s AND e.kind IN ('opened', 'reopened', 'unexcepted', 'excepted')) AS lived
    FROM violation_events e JOIN ids USING (violation_id)
    WHERE e.at < %(cut)s
    GROUP BY e.violation_id
)
SELECT l.violation_id AS key, l.violation_id, l.kind, l.kind_at_start, l.severity, l.policy_id,
       p.name AS policy_name, l.resource_id, r.native_id, r.name AS resource_name, r.provider,
       r.type AS resource_type, coalesce(v.first_seen, l.opened_at) AS first_seen, l.status_since, l.reopened,
       l.fixed, v.reason,
       l.lived OR coalesce(l.kind_at_start NOT IN ('fixed', 'removed'), false) AS included,
       l.kind = 'excepted' AND bool_or_expired.lapsed AS lapsed, bool_or_expired.lapsed_at
FROM lives l
LEFT JOIN violations v ON v.id = l.violation_id
LEFT JOIN resources r ON r.id = l.resource_id
LEFT JOIN policies p ON p.id = l.policy_id
LEFT JOIN LATERAL (
    SELECT coalesce(bool_and(x.expires_at <= %(cut)s), false) AS lapsed, max(x.expires_at) AS lapsed_at
    FROM exceptions x
    WHERE l.kind = 'excepted' AND x.decided_at < %(cut)s AND x.status IN ('approved', 'expired')
      AND x.selector IS NULL
      AND (x.policy_id IS NULL OR x.policy_id = l.policy_id)
      AND (x.resource_id IS NULL OR x.resource_id = l.resource_id)
) AS bool_or_expired ON true
ORDER BY l.violation_id
"""
