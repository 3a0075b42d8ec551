"""From hits to violations in one statement: what is new is opened, what is back re-opened, what is gone fixed.

No row of the estate passes through Python. `{hits}` is the engine's query of (resource_id, policy_id, outcome,
reason). A resource for which a rule has no answer ('error') keeps the violation that it has. A violation that
an approved exception covers is opened as suppressed, until the exception's term.
"""

from __future__ import annotations

from dataclasses import dataclass

FULL, INCREMENTAL = "full", "incremental"

# Which existing violations the statement may judge: those of its policies, on resources it looked at.
_EXISTING = """
existing AS MATERIALIZED (
    SELECT v.id, v.policy_id, v.resource_id, v.status, v.suppressed_until, v.reason, v.severity, v.policy_version
    FROM violations v JOIN resources r ON r.id = v.resource_id
    WHERE v.tenant_id = %(tenant)s AND v.policy_id = ANY(%(policies)s)
      AND (%(type)s::text IS NULL OR r.type = %(type)s)
      AND (%(since)s::text IS NULL OR r.changed_xid >= %(since)s::xid8 OR EXISTS (
          SELECT 1 FROM resource_properties p WHERE p.resource_id = r.id AND p.changed_xid >= %(since)s::xid8))
)"""

_DIFF = """
WITH hits AS MATERIALIZED ({hits}),
found AS MATERIALIZED (
    SELECT h.resource_id, h.policy_id, h.outcome, h.reason, p.severity, p.current_version
    FROM hits h
    JOIN policies p ON p.id = h.policy_id AND p.tenant_id = %(tenant)s
    JOIN resources r ON r.id = h.resource_id AND r.status IS DISTINCT FROM 'deleted'
),
in_force AS MATERIALIZED (
    SELECT id, policy_id, resource_id, expires_at FROM exceptions
    WHERE tenant_id = %(tenant)s AND status = 'approved' AND selector IS NULL
      AND (expires_at IS NULL OR expires_at > now())
),
{existing},
opened AS (
    INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason, policy_version,
                            status, suppressed_until, exception_id)
    SELECT new_uuid7(), %(tenant)s, f.policy_id, f.resource_id, f.severity, f.reason, f.current_version,
           CASE WHEN c.id IS NULL THEN 'open' ELSE 'suppressed' END, c.expires_at, c.id
    FROM found f
    LEFT JOIN existing e USING (policy_id, resource_id)
    LEFT JOIN LATERAL ({covering}) c ON true
    WHERE f.outcome = 'hit' AND e.id IS NULL
    ON CONFLICT (tenant_id, policy_id, resource_id) DO NOTHING
    RETURNING 1
),
seen AS (
    UPDATE violations v SET
        last_seen = now(), reason = f.reason, severity = f.severity, policy_version = f.current_version,
        fixed_at = NULL,
        status = CASE WHEN {lapsed} THEN CASE WHEN c.id IS NULL THEN 'open' ELSE 'suppressed' END ELSE v.status END,
        suppressed_until = CASE WHEN {lapsed} THEN c.expires_at ELSE v.suppressed_until END,
        exception_id = CASE WHEN {lapsed} THEN c.id ELSE v.exception_id END
    FROM found f
    JOIN existing e USING (policy_id, resource_id)
    LEFT JOIN LATERAL ({covering}) c ON true
    WHERE v.id = e.id AND f.outcome = 'hit' AND (
        %(touch)s OR {lapsed} OR (e.reason, e.severity, e.policy_version)
            IS DISTINCT FROM (f.reason, f.severity, f.current_version))
    RETURNING e.status AS was
),
fixed AS (
    UPDATE violations v SET status = 'fixed', fixed_at = now(), suppressed_until = NULL, exception_id = NULL
    FROM existing e
    WHERE v.id = e.id AND e.status <> 'fixed'
      AND NOT EXISTS (SELECT 1 FROM found f WHERE f.policy_id = e.policy_id AND f.resource_id = e.resource_id)
    RETURNING 1
),
failed AS (
    INSERT INTO evaluation_errors (tenant_id, scan_id, policy_id, resources, example_resource_id, message)
    SELECT %(tenant)s, %(scan)s, policy_id, count(*), min(resource_id), min(reason)
    FROM found WHERE outcome = 'error' GROUP BY policy_id
    RETURNING resources
)
SELECT (SELECT count(*) FROM opened),
       (SELECT count(*) FROM seen WHERE was = 'fixed'),
       (SELECT count(*) FROM fixed),
       (SELECT count(*) FROM existing e JOIN found f USING (policy_id, resource_id)
        WHERE f.outcome = 'hit' AND e.status <> 'fixed'),
       (SELECT coalesce(sum(resources), 0) FROM failed)
"""

# The exception in force that covers a finding longest; without a term comes first.
_COVERING = """
    SELECT x.id, x.expires_at FROM in_force x
    WHERE (x.policy_id IS NULL OR x.policy_id = f.policy_id)
      AND (x.resource_id IS NULL OR x.resource_id = f.resource_id)
    ORDER BY x.expires_at DESC NULLS FIRST LIMIT 1"""

# Not standing open on its own: fixed before, or suppressed by an exception whose term is over.
_LAPSED = "(e.status = 'fixed' OR (e.status = 'suppressed' AND e.suppressed_until <= now()))"

# What no statement of a scan has judged: policies that are no longer active, types that a policy no longer
# looks at, resources that are gone.
ORPHANS = """
WITH judged AS (SELECT * FROM unnest(%(pair_policies)s::text[], %(pair_types)s::text[]) j (policy_id, type))
UPDATE violations v SET status = 'fixed', fixed_at = now(), suppressed_until = NULL, exception_id = NULL
FROM resources r
WHERE v.tenant_id = %(tenant)s AND v.status <> 'fixed' AND v.source = 'policy' AND r.id = v.resource_id
  AND v.policy_id IS NOT NULL
  AND (r.status = 'deleted' OR NOT EXISTS (
      SELECT 1 FROM judged j WHERE j.policy_id = v.policy_id AND (j.type IS NULL OR j.type = r.type)))
"""


@dataclass(frozen=True)
class Outcome:
    """What one statement did, in violations: opened anew, re-opened, fixed, still open; and errors, in resources."""

    opened: int = 0
    reopened: int = 0
    fixed: int = 0
    still_open: int = 0
    errors: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.opened + other.opened,
            self.reopened + other.reopened,
            self.fixed + other.fixed,
            self.still_open + other.still_open,
            self.errors + other.errors,
        )


def diff_statement(hits: str) -> str:
    """The statement around an engine query whose placeholders are named (`%(h0)s`, …)."""
    return _DIFF.format(hits=hits, existing=_EXISTING, covering=_COVERING, lapsed=_LAPSED)
