"""Which exception covers a violation, as SQL: for scans and for whatever ends or changes an exception.

`Scope.violations` says the same in the ORM, for one exception; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.core.context import current_tenant_id

# x: the exception; r: the resource's row; the names in braces: the violation's own.
COVERS = """(x.policy_id IS NULL OR x.policy_id = {policy})
      AND (x.resource_id IS NULL OR x.resource_id = {resource})
      AND (x.selector IS NULL OR (
          (x.selector->'severity' IS NULL OR x.selector->'severity' ? {severity})
          AND (x.selector->'provider' IS NULL OR x.selector->'provider' ? r.provider)
          AND (x.selector->>'type' IS NULL OR x.selector->>'type' = r.type)
          AND (x.selector->>'account' IS NULL OR x.selector->>'account' = r.account)
          AND (x.selector->>'first_seen_after' IS NULL
               OR {seen} >= (x.selector->>'first_seen_after')::timestamptz)
          AND (x.selector->>'first_seen_before' IS NULL
               OR {seen} < (x.selector->>'first_seen_before')::timestamptz)
          AND (coalesce(x.selector->'later' = 'true'::jsonb, false) OR {seen} <= x.created_at)))"""

IN_FORCE = """in_force AS MATERIALIZED (
    SELECT id, policy_id, resource_id, selector, created_at, expires_at FROM exceptions
    WHERE tenant_id = %(tenant)s AND status = 'approved' AND (expires_at IS NULL OR expires_at > now())
)"""


def covers(*, policy: str, resource: str, severity: str, seen: str) -> str:
    """COVERS over these expressions."""
    return COVERS.format(policy=policy, resource=resource, severity=severity, seen=seen)


def longest(condition: str) -> str:
    """The exception in force that covers longest; one without a term comes first."""
    return f"""
    SELECT x.id, x.expires_at FROM in_force x
    WHERE {condition}
    ORDER BY x.expires_at DESC NULLS FIRST, x.id LIMIT 1"""


OF_VIOLATION = covers(
    policy="v.policy_id", resource="v.resource_id", severity="v.severity", seen="v.first_seen"
)

_RECOVER = f"""
WITH {IN_FORCE},
standing AS (
    SELECT v.id, c.id AS exception_id, c.expires_at
    FROM violations v
    LEFT JOIN resources r ON r.tenant_id = v.tenant_id AND r.id = v.resource_id
    LEFT JOIN LATERAL ({longest(OF_VIOLATION + " AND {other}")}) c ON true
    WHERE v.tenant_id = %(tenant)s AND v.status <> 'fixed' AND ({{which}})
)
UPDATE violations v SET
    status = CASE WHEN s.exception_id IS NULL THEN 'open' ELSE 'suppressed' END,
    suppressed_until = s.expires_at, exception_id = s.exception_id
FROM standing s
WHERE v.id = s.id AND v.status <> 'fixed'
  AND (v.exception_id, v.suppressed_until, v.status) IS DISTINCT FROM
      (s.exception_id, s.expires_at, CASE WHEN s.exception_id IS NULL THEN 'open' ELSE 'suppressed' END)
RETURNING v.exception_id IS NULL
"""
# Which violations to look at again.
OF_EXCEPTION = "v.exception_id = %(exception)s"
LAPSED = "v.status = 'suppressed' AND v.suppressed_until <= now()"
OF_ENDED = """v.exception_id IN (
    SELECT id FROM exceptions WHERE tenant_id = %(tenant)s AND status = 'expired' AND ended_at >= %(since)s)"""
# A selector is judged anew: severity, account or type may have changed, and `later` lets new ones in.
OF_SELECTORS = f"""v.exception_id IN (SELECT id FROM in_force WHERE selector IS NOT NULL)
    OR (v.status = 'open' AND EXISTS (
        SELECT 1 FROM in_force x WHERE x.selector IS NOT NULL AND {OF_VIOLATION}))"""


@dataclass(frozen=True)
class Recovered:
    """How many violations are open again, and how many another exception covers on."""

    reopened: int
    kept: int


def recover(which: str, **values: Any) -> Recovered:
    """Give each of these violations the exception that covers it now, or open it: one statement.

    `which` is one of the conditions above. This is where overlapping exceptions are held: what one no longer
    covers stays excepted under another that does. What has lapsed goes to another only: it bears its own end.
    """
    other = "x.id IS DISTINCT FROM v.exception_id" if which == LAPSED else "true"
    with connection.cursor() as cursor:
        cursor.execute(_RECOVER.format(which=which, other=other), {"tenant": current_tenant_id(), **values})
        rows = [row[0] for row in cursor.fetchall()]
    return Recovered(sum(rows), len(rows) - sum(rows))


_COVERED_NOW = f"""(CASE
    WHEN x.policy_id IS NOT NULL AND x.resource_id IS NOT NULL THEN EXISTS (
        SELECT 1 FROM violations v LEFT JOIN resources r ON r.tenant_id = v.tenant_id AND r.id = v.resource_id
        WHERE v.tenant_id = x.tenant_id AND v.policy_id = x.policy_id AND v.resource_id = x.resource_id
          AND v.status <> 'fixed' AND {OF_VIOLATION})
    WHEN x.policy_id IS NOT NULL THEN EXISTS (
        SELECT 1 FROM violations v LEFT JOIN resources r ON r.tenant_id = v.tenant_id AND r.id = v.resource_id
        WHERE v.tenant_id = x.tenant_id AND v.policy_id = x.policy_id AND v.status <> 'fixed' AND {OF_VIOLATION})
    WHEN x.resource_id IS NOT NULL THEN EXISTS (
        SELECT 1 FROM violations v LEFT JOIN resources r ON r.tenant_id = v.tenant_id AND r.id = v.resource_id
        WHERE v.tenant_id = x.tenant_id AND v.resource_id = x.resource_id AND v.status <> 'fixed'
          AND {OF_VIOLATION})
    ELSE EXISTS (
        SELECT 1 FROM violations v LEFT JOIN resources r ON r.tenant_id = v.tenant_id AND r.id = v.resource_id
        WHERE v.tenant_id = x.tenant_id AND v.status <> 'fixed' AND {OF_VIOLATION})
END)"""
_IN_FORCE_NOW = """x.tenant_id = %(tenant)s AND x.status = 'approved'
  AND (x.expires_at IS NULL OR x.expires_at > now())"""

_IDLE = f"""
UPDATE exceptions x SET idle_since = now()
WHERE {_IN_FORCE_NOW} AND x.idle_since IS NULL AND x.covered > 0 AND NOT {_COVERED_NOW}
RETURNING x.id
"""
_BUSY = f"""
UPDATE exceptions x SET idle_since = NULL, covered = greatest(x.covered, 1)
WHERE {_IN_FORCE_NOW} AND (x.idle_since IS NOT NULL OR x.covered = 0) AND {_COVERED_NOW}
"""


def mark_idle() -> list[Any]:
    """Note which exceptions in force have nothing left to cover; returns the ids of those that are new to it."""
    with connection.cursor() as cursor:
        cursor.execute(_BUSY, {"tenant": current_tenant_id()})
        cursor.execute(_IDLE, {"tenant": current_tenant_id()})
        return [row[0] for row in cursor.fetchall()]


_COUNTS = f"""
SELECT x.id, v.status, v.severity, count(*), min(v.first_seen)
FROM exceptions x
JOIN violations v ON v.tenant_id = x.tenant_id AND v.status <> 'fixed'
LEFT JOIN resources r ON r.tenant_id = v.tenant_id AND r.id = v.resource_id
WHERE x.tenant_id = %(tenant)s AND x.id = ANY(%(ids)s) AND {OF_VIOLATION}
GROUP BY x.id, v.status, v.severity
"""


def covered_counts(ids: list[Any]) -> list[tuple[Any, str, str, int, Any]]:
    """(exception, status, severity, n, oldest) of the unfixed violations that these exceptions speak of."""
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"tenant": current_tenant_id(), "ids": ids})
        rows: list[tuple[Any, str, str, int, Any]] = cursor.fetchall()
    return rows


def one_decision_at_a_time() -> None:
    """Decisions of one tenant take turns, to the transaction's end: two that overlap would not see each other,
    and a violation that the one lets go and the other covers would be left open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('exceptions'), hashtext(%s))", [str(current_tenant_id())]
        )
