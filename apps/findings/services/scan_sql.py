"""From hits to violations in one statement: what is new is opened, what is back re-opened, what is gone fixed.

No row of the estate passes through Python. `{hits}` is the engine's query of (resource_id, policy_id, outcome,
reason). A resource for which a rule has no answer ('error') keeps the violation that it has. A violation that
an approved exception covers is opened as suppressed, until the exception's term.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..models import OWN_SOURCE
from .exception_sql import IN_FORCE, covers

FULL, INCREMENTAL = "full", "incremental"

# The policies as they were compiled: one that has changed since is left to the next scan, so that no violation
# bears a version that did not judge it.
_JUDGED = """
judged AS MATERIALIZED (
    SELECT p.id, p.severity, p.current_version
    FROM unnest(%(policies)s::text[], %(stamps)s::text[]) c (id, stamp)
    JOIN policies p ON p.id = c.id AND p.tenant_id = %(tenant)s AND p.changed_xid = c.stamp::xid8
    WHERE p.status = {status}
)"""

# Which existing violations the statement may judge: those of its policies, on resources it looked at.
_EXISTING = """
existing AS MATERIALIZED (
    SELECT v.id, v.policy_id, v.resource_id, v.status, v.suppressed_until, v.reason, v.severity, v.policy_version,
           v.first_seen
    FROM judged j JOIN violations v ON v.policy_id = j.id AND v.tenant_id = %(tenant)s{narrowed}
)"""
_OF_TYPE = "\n    JOIN resources r ON r.id = v.resource_id AND r.type = %(type)s"
_OF_RESOURCES = "\n    AND v.resource_id = ANY(%(ids)s::text[])"
# A part of the estate by the order of ids: after the one, up to the other; NULL is no bound.
_OF_RANGE = """
    AND (%(after)s::text IS NULL OR v.resource_id > %(after)s)
    AND (%(upto)s::text IS NULL OR v.resource_id <= %(upto)s)"""


# The join is a full one for two reasons: it says of every pair what is there, and it is never a nested loop, which
# the planner would take for two sets of whose size it knows nothing.
_DIFF = """
WITH hits AS MATERIALIZED ({hits}),
{judged},
found AS MATERIALIZED (
    SELECT h.resource_id, h.policy_id, h.outcome, h.reason, j.severity, j.current_version
    FROM hits h JOIN judged j ON j.id = h.policy_id
),
{in_force},
{existing},
pairs AS MATERIALIZED (
    SELECT e.id, e.status AS was, e.suppressed_until, e.first_seen, f.outcome,
           f.policy_id, f.resource_id, f.reason, f.severity, f.current_version,
           {lapsed} AS lapsed,
           (e.reason, e.severity, e.policy_version)
               IS DISTINCT FROM (f.reason, f.severity, f.current_version) AS differs
    FROM found f FULL JOIN existing e ON e.policy_id = f.policy_id AND e.resource_id = f.resource_id
),
opened AS (
    INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason, policy_version, source,
                            status, suppressed_until, exception_id)
    SELECT new_uuid7(), %(tenant)s, f.policy_id, f.resource_id, f.severity, f.reason, f.current_version, {source},
           CASE WHEN c.id IS NULL THEN 'open' ELSE 'suppressed' END, c.expires_at, c.id
    FROM pairs f
    LEFT JOIN LATERAL ({covering_new}) c ON true
    WHERE f.outcome = 'hit' AND f.id IS NULL
    ON CONFLICT (tenant_id, policy_id, resource_id) DO NOTHING
    RETURNING 1
),
seen AS (
    UPDATE violations v SET
        last_seen = now(), reason = f.reason, severity = f.severity, policy_version = f.current_version,
        fixed_at = NULL,
        status = CASE WHEN f.lapsed THEN CASE WHEN c.id IS NULL THEN 'open' ELSE 'suppressed' END ELSE v.status END,
        suppressed_until = CASE WHEN f.lapsed THEN c.expires_at ELSE v.suppressed_until END,
        exception_id = CASE WHEN f.lapsed THEN c.id ELSE v.exception_id END
    FROM pairs f
    LEFT JOIN LATERAL ({covering_known}) c ON true
    WHERE v.id = f.id AND f.outcome = 'hit' AND (%(touch)s OR f.lapsed OR f.differs)
    RETURNING f.was
),
fixed AS (
    UPDATE violations v SET status = 'fixed', fixed_at = now(), suppressed_until = NULL, exception_id = NULL
    FROM pairs p
    WHERE v.id = p.id AND p.was <> 'fixed' AND p.outcome IS NULL
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
       (SELECT count(*) FROM pairs WHERE outcome = 'hit' AND id IS NOT NULL AND was <> 'fixed'),
       (SELECT coalesce(sum(resources), 0) FROM failed)
"""

# The exception in force that covers a finding longest. Only asked for what is opened, opened again or lapsed.
_COVERING = """
    SELECT x.id, x.expires_at FROM in_force x
    LEFT JOIN resources r ON r.tenant_id = %(tenant)s AND r.id = f.resource_id
    WHERE {gate} AND {covers}
    ORDER BY x.expires_at DESC NULLS FIRST, x.id LIMIT 1"""

# Not standing open on its own: fixed before, or suppressed by an exception whose term is over.
_LAPSED = (
    "e.id IS NOT NULL AND (e.status = 'fixed' OR (e.status = 'suppressed' AND e.suppressed_until <= now()))"
)

# What no statement of a scan has judged: policies that are not active, types that a policy no longer looks at,
# resources that are gone. An active policy that is not among the judged as it stands now (it did not compile,
# or came or changed during the scan) keeps its violations.
_ORPHANS = """
WITH known AS MATERIALIZED (
    SELECT p.id, p.status, c.any_type
    FROM policies p
    LEFT JOIN unnest(%(policies)s::text[], %(stamps)s::text[], %(any_type)s::boolean[]) c (id, stamp, any_type)
        ON c.id = p.id AND c.stamp::xid8 = p.changed_xid
    WHERE p.tenant_id = %(tenant)s
),
typed AS MATERIALIZED (SELECT * FROM unnest(%(pair_policies)s::text[], %(pair_types)s::text[]) t (policy_id, type)),
orphans AS (
    SELECT v.id
    FROM violations v
    JOIN known k ON k.id = v.policy_id
    JOIN resources r ON r.id = v.resource_id
    LEFT JOIN typed t ON t.policy_id = v.policy_id AND t.type = r.type
    WHERE v.tenant_id = %(tenant)s AND v.status <> 'fixed'{narrowed}
      AND (r.status = 'deleted' OR (v.source = 'policy' AND (
          r.status = 'reported' OR k.status <> 'active' OR (k.any_type IS FALSE AND t.policy_id IS NULL))))
)
UPDATE violations v SET status = 'fixed', fixed_at = now(), suppressed_until = NULL, exception_id = NULL
FROM orphans o WHERE v.id = o.id AND v.status <> 'fixed'
"""
_OF_POLICIES = "\n    AND v.policy_id = ANY(%(of_policies)s::text[])"


# What a scan of one policy would do, told and not done: (kind, how many of it, how many of those an exception would
# hide, a sample of it). The rule's own reasons are not asked for: they would be computed for every hit. `stays`
# gives one row, the others as many as there are samples.
_PREVIEW = """
WITH found AS (
    SELECT h.resource_id, h.outcome FROM ({hits}) h
),
standing AS (
    SELECT resource_id, reason, first_seen FROM violations
    WHERE tenant_id = %(tenant)s AND policy_id = %(policy)s AND status <> 'fixed'
),
{in_force},
judged AS MATERIALIZED (
    SELECT coalesce(f.resource_id, s.resource_id) AS resource_id, s.reason,
           CASE WHEN f.outcome = 'error' THEN 'error' WHEN f.resource_id IS NULL THEN 'closes'
                WHEN s.resource_id IS NULL THEN 'opens' ELSE 'stays' END AS kind,
           f.resource_id IS NOT NULL AND EXISTS (
               SELECT 1 FROM in_force x
               LEFT JOIN resources r ON r.tenant_id = %(tenant)s AND r.id = f.resource_id
               WHERE {covers}) AS excepted
    FROM found f FULL JOIN standing s ON s.resource_id = f.resource_id
),
totals AS (
    SELECT kind, count(*) AS n, count(*) FILTER (WHERE excepted) AS excepted FROM judged GROUP BY kind
)
SELECT t.kind, t.n, t.excepted, j.resource_id, r.native_id, r.name, r.type, j.reason
FROM totals t
CROSS JOIN LATERAL (
    SELECT resource_id, reason FROM judged WHERE kind = t.kind
    ORDER BY resource_id COLLATE "C" LIMIT CASE t.kind WHEN 'stays' THEN 1 ELSE %(samples)s END
) j
JOIN resources r ON r.tenant_id = %(tenant)s AND r.id = j.resource_id
ORDER BY t.kind, j.resource_id COLLATE "C"
"""


def preview_statement(hits: str) -> str:
    """The statement around an engine query of one rule; it reads only."""
    severity = "(SELECT p.severity FROM policies p WHERE p.tenant_id = %(tenant)s AND p.id = %(policy)s)"
    covered = covers(
        policy="%(policy)s", resource="f.resource_id", severity=severity, seen="coalesce(s.first_seen, now())"
    )
    return _PREVIEW.format(hits=hits, in_force=IN_FORCE, covers=covered)


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


def diff_statement(
    hits: str,
    *,
    by_type: bool = False,
    by_ids: bool = False,
    by_range: bool = False,
    status: str = "active",
    source: str = OWN_SOURCE,
) -> str:
    """The statement around an engine query whose placeholders are named (`%(h0)s`, …).

    It judges the existing violations of its policies: all of them, or those on resources of `%(type)s`, on the
    resources `%(ids)s`, on those between `%(after)s` and `%(upto)s`. Its policies must still have `status`; what it
    opens is from `source`. Both are words of ours, never a user's.
    """
    narrowed = (
        (_OF_RESOURCES if by_ids else "") + (_OF_RANGE if by_range else "") + (_OF_TYPE if by_type else "")
    )
    return _DIFF.format(
        hits=hits,
        judged=_JUDGED.format(status=f"'{status}'"),
        source=f"'{source}'",
        in_force=IN_FORCE,
        existing=_EXISTING.format(narrowed=narrowed),
        covering_new=covering("f.id IS NULL", seen="now()"),
        covering_known=covering("f.lapsed", seen="f.first_seen"),
        lapsed=_LAPSED,
    )


def covering(gate: str, *, seen: str) -> str:
    """The exception in force that covers finding `f` longest, asked where `gate` holds; needs IN_FORCE."""
    condition = covers(policy="f.policy_id", resource="f.resource_id", severity="f.severity", seen=seen)
    return _COVERING.format(gate=gate, covers=condition)


def orphans_statement(*, by_policies: bool = False, by_ids: bool = False) -> str:
    """Fixes what no policy looks at any more: of everything, of the policies `%(of_policies)s`, of the resources
    `%(ids)s`, or of what is of both."""
    return _ORPHANS.format(narrowed=(_OF_POLICIES if by_policies else "") + (_OF_RESOURCES if by_ids else ""))
