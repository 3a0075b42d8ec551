"""The statements of a findings import, over one batch in a temporary table. Each row is one finding on one resource."""

from __future__ import annotations

from .exception_sql import IN_FORCE
from .scan_sql import covering

COPY_COLUMNS = (
    "policy_id", "source", "check_id", "title", "metadata", "provider", "type", "native_id", "candidates",
    "resource_id", "name", "account", "location", "severity", "passed", "reason", "seen_at", "dated", "key",
)  # fmt: skip

INCOMING = """
CREATE TEMPORARY TABLE incoming_findings (
    policy_id text, source text, check_id text, title text, metadata jsonb, provider text, type text, native_id text,
    candidates text[], resource_id text, name text, account text, location text, severity text, passed boolean,
    reason text, seen_at timestamptz, dated boolean, key text, known boolean NOT NULL DEFAULT false
) ON COMMIT DROP
"""

# Under its own id first, else as the tool's name for it may be kept in the inventory; the same id under another type
# than the tool's is the same resource.
RESOLVE = """
UPDATE incoming_findings i SET resource_id = r.id, known = true
FROM incoming_findings j
CROSS JOIN LATERAL (
    SELECT r.id FROM resources r
    WHERE r.tenant_id = %(tenant)s AND r.id = j.resource_id
    UNION ALL
    SELECT found.id FROM unnest(j.candidates) WITH ORDINALITY c (native_id, place)
    CROSS JOIN LATERAL (
        SELECT r.id FROM resources r
        WHERE r.tenant_id = %(tenant)s AND r.native_id COLLATE "C" = c.native_id AND r.provider = j.provider
        ORDER BY r.status IS NOT DISTINCT FROM 'reported', r.id LIMIT 1
    ) found
    LIMIT 1
) r
WHERE i.ctid = j.ctid
"""

# A pass says nothing of what is there: only what fails is worth a row that no inventory has brought.
RESOURCES = """
INSERT INTO resources (id, tenant_id, provider, type, name, location, account, status, native_id)
SELECT DISTINCT ON (resource_id)
    resource_id, %(tenant)s, provider, type, name, location, account, 'reported', native_id
FROM incoming_findings WHERE resource_id IS NOT NULL AND NOT known AND NOT passed
ORDER BY resource_id
ON CONFLICT (id) DO NOTHING
"""

# What an admin has set on the policy is no word of the tool's: it stays.
POLICIES = """
WITH told AS (
    SELECT DISTINCT ON (policy_id) policy_id, title, provider, source, severity, metadata
    FROM incoming_findings WHERE resource_id IS NOT NULL AND NOT (passed AND NOT known)
    ORDER BY policy_id, seen_at DESC
)
INSERT INTO policies (id, tenant_id, name, provider, type, status, language, severity, metadata)
SELECT policy_id, %(tenant)s, title, provider, source, 'external', 'external', severity, metadata
FROM told ORDER BY policy_id
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, severity = excluded.severity, updated_at = now(),
    metadata = excluded.metadata || coalesce((
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(policies.metadata) WHERE key = 'action_override'), '{}')
WHERE (policies.name, policies.severity, policies.metadata - 'action_override')
    IS DISTINCT FROM (excluded.name, excluded.severity, excluded.metadata)
"""

# What fails and has a violation already: younger than what is stored, it says more.
_SEEN = """
WITH {in_force},
f AS MATERIALIZED (
    SELECT i.policy_id, i.resource_id, i.severity, i.reason, i.seen_at, v.id, v.first_seen, v.status AS was,
        v.status = 'fixed' OR (v.status = 'suppressed' AND v.suppressed_until <= now()) AS lapsed
    FROM incoming_findings i
    JOIN violations v
        ON v.tenant_id = %(tenant)s AND v.policy_id = i.policy_id AND v.resource_id = i.resource_id
    WHERE NOT i.passed AND i.seen_at > v.last_seen
        AND (i.dated OR v.status = 'fixed' OR (v.reason, v.severity) IS DISTINCT FROM (i.reason, i.severity))
)
UPDATE violations v SET
    last_seen = f.seen_at, reason = f.reason, severity = f.severity, fixed_at = NULL,
    status = CASE WHEN f.lapsed THEN CASE WHEN c.id IS NULL THEN 'open' ELSE 'suppressed' END ELSE v.status END,
    suppressed_until = CASE WHEN f.lapsed THEN c.expires_at ELSE v.suppressed_until END,
    exception_id = CASE WHEN f.lapsed THEN c.id ELSE v.exception_id END
FROM f LEFT JOIN LATERAL ({covering}) c ON true
WHERE v.id = f.id
RETURNING f.was
"""
SEEN = _SEEN.format(in_force=IN_FORCE, covering=covering("f.lapsed", seen="f.first_seen"))

_OPEN = """
WITH {in_force}
INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason, source, first_seen, last_seen,
                        status, suppressed_until, exception_id)
SELECT new_uuid7(), %(tenant)s, f.policy_id, f.resource_id, f.severity, f.reason, f.source, f.seen_at, f.seen_at,
    CASE WHEN c.id IS NULL THEN 'open' ELSE 'suppressed' END, c.expires_at, c.id
FROM incoming_findings f LEFT JOIN LATERAL ({covering}) c ON true
WHERE NOT f.passed AND f.resource_id IS NOT NULL
ON CONFLICT (tenant_id, policy_id, resource_id) DO NOTHING
"""
OPEN = _OPEN.format(in_force=IN_FORCE, covering=covering("true", seen="f.seen_at"))

CLOSE = """
UPDATE violations v SET status = 'fixed', fixed_at = now(), last_seen = i.seen_at, suppressed_until = NULL,
    exception_id = NULL
FROM incoming_findings i
WHERE i.passed AND v.tenant_id = %(tenant)s AND v.policy_id = i.policy_id AND v.resource_id = i.resource_id
    AND v.status <> 'fixed' AND i.seen_at >= v.last_seen
"""

RECOMMEND = """
INSERT INTO recommendations (id, tenant_id, kind, severity, title, description, rule, source, key)
SELECT new_uuid7(), %(tenant)s, 'security', severity, title, reason, check_id, source, key
FROM incoming_findings WHERE resource_id IS NULL AND NOT passed
ON CONFLICT (tenant_id, key) DO UPDATE SET
    severity = excluded.severity, title = excluded.title, description = excluded.description
WHERE (recommendations.severity, recommendations.title, recommendations.description)
    IS DISTINCT FROM (excluded.severity, excluded.title, excluded.description)
"""
