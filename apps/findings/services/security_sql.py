"""The statements of a security scan beside its checks: policies, batches, what no check speaks of, and advice."""

from __future__ import annotations

from ..security.base import SOURCE
from .recommendation_sql import GONE, UPSERT

# One row a check, of language and status `external`: scans of policies leave it alone. What an admin has set stays.
POLICIES = f"""
INSERT INTO policies (id, tenant_id, name, provider, type, status, language, severity, metadata)
SELECT c.id, %(tenant)s, c.name, c.provider, '{SOURCE}', 'external', 'external', c.severity, c.metadata::jsonb
FROM unnest(%(ids)s::text[], %(names)s::text[], %(providers)s::text[], %(severities)s::text[], %(metadata)s::text[])
    c (id, name, provider, severity, metadata)
ORDER BY c.id
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, severity = excluded.severity, updated_at = now(),
    metadata = excluded.metadata || coalesce((
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(policies.metadata) WHERE key = 'action_override'), '{{}}')
WHERE (policies.name, policies.severity, policies.metadata - 'action_override')
    IS DISTINCT FROM (excluded.name, excluded.severity, excluded.metadata)
"""

STAMPS = "SELECT id, changed_xid::text FROM policies WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s)"

PROVIDERS = """
WITH RECURSIVE known AS (
    (SELECT provider FROM resources WHERE tenant_id = %(tenant)s ORDER BY provider LIMIT 1)
    UNION ALL
    SELECT (SELECT provider FROM resources r WHERE r.tenant_id = %(tenant)s AND r.provider > k.provider
            ORDER BY provider LIMIT 1)
    FROM known k WHERE k.provider IS NOT NULL
)
SELECT provider FROM known WHERE provider IS NOT NULL
"""

# Every n-th id of the documents that may hold a secret: the bounds of batches of a bounded size.
BOUNDS = """
SELECT resource_id FROM (
    SELECT resource_id, row_number() OVER (ORDER BY resource_id) AS place
    FROM resource_properties WHERE tenant_id = %(tenant)s AND type = ANY(%(types)s)
) ordered WHERE place %% %(size)s = 0 ORDER BY resource_id
"""

# Of each document only the parts that may hold one: (resource, place, parts).
PARTS = """
SELECT p.resource_id, w.place, jsonb_path_query_array(p.properties, w.path::jsonpath)
FROM resource_properties p
JOIN resources r ON r.tenant_id = p.tenant_id AND r.id = p.resource_id
JOIN unnest(%(place_types)s::text[], %(places)s::int[], %(paths)s::text[]) w (type, place, path) ON w.type = p.type
WHERE p.tenant_id = %(tenant)s AND p.type = ANY(%(types)s)
  AND (%(after)s::text IS NULL OR p.resource_id > %(after)s)
  AND (%(upto)s::text IS NULL OR p.resource_id <= %(upto)s)
  AND r.status IS DISTINCT FROM 'deleted' AND r.status IS DISTINCT FROM 'reported'
  AND jsonb_path_exists(p.properties, w.path::jsonpath)
ORDER BY p.resource_id, w.place
"""

FOUND = """
SELECT resource_id, policy_id, 'hit' AS outcome, reason
FROM unnest(%(found_resources)s::text[], %(found_policies)s::text[], %(found_reasons)s::text[])
    f (resource_id, policy_id, reason)"""

# A check that this version does not have any more has nobody else to close what it has opened.
ORPHANS = f"""
UPDATE violations v SET status = 'fixed', fixed_at = now(), suppressed_until = NULL, exception_id = NULL
WHERE v.tenant_id = %(tenant)s AND v.source = '{SOURCE}' AND v.status <> 'fixed'
  AND v.policy_id IN (
      SELECT id FROM policies WHERE tenant_id = %(tenant)s AND type = '{SOURCE}' AND language = 'external')
  AND NOT v.policy_id = ANY(%(ids)s)
"""

# Of a security scan's open violations: what to do about each, while it is open. One under an exception is accepted
# for its time, and nobody is asked to do what was decided not to be done.
ADVICE = f"""
WITH d AS (
    SELECT * FROM unnest(%(policies)s::text[], %(rules)s::text[], %(titles)s::text[], %(advices)s::text[],
        %(risks)s::numeric[], %(confidences)s::numeric[], %(remedies)s::text[])
        AS d (policy_id, rule, title, advice, risk, confidence, remedy)
),
h AS MATERIALIZED (
    SELECT d.*, d.rule || ':' || v.resource_id AS key, v.id AS violation_id, v.severity, v.resource_id, v.reason, r.name
    FROM violations v JOIN d ON d.policy_id = v.policy_id
    JOIN resources r ON r.tenant_id = v.tenant_id AND r.id = v.resource_id
    WHERE v.tenant_id = %(tenant)s AND v.source = %(source)s
      AND (v.status = 'open' OR v.status = 'suppressed' AND v.suppressed_until <= now())
),
written AS (
    INSERT INTO recommendations (id, tenant_id, kind, severity, title, description, risk_reduction, confidence, rule,
        resource_id, source, key, evidence, remedy)
    SELECT new_uuid7(), %(tenant)s, 'security', h.severity, left(h.title || ': ' || h.name, 300), h.advice, h.risk,
        h.confidence, h.rule, h.resource_id, %(source)s, h.key,
        jsonb_build_object('why', h.reason, 'violation', h.violation_id), h.remedy
    FROM h ORDER BY h.key
    {UPSERT}
),
gone AS (
    UPDATE recommendations o SET {GONE}
    WHERE o.tenant_id = %(tenant)s AND o.source = %(source)s AND o.kind = 'security' AND o.gone_at IS NULL
        AND NOT EXISTS (SELECT FROM h WHERE h.key = o.key)
    RETURNING 1
)
SELECT (SELECT count(*) FROM written WHERE is_new), (SELECT count(*) FROM written WHERE NOT is_new),
    (SELECT count(*) FROM gone)
"""
