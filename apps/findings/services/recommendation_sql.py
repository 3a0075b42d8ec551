"""How recommendations are written, whichever scan makes them: once for each key, and gone where it holds no more."""

from __future__ import annotations

_CHANGES = (
    "kind", "severity", "title", "description", "savings", "risk_reduction", "confidence", "evidence", "currency",
    "remedy",
)  # fmt: skip
_SAID = ", ".join(f"recommendations.{name}" for name in _CHANGES)
_SAYS = ", ".join(f"excluded.{name}" for name in _CHANGES)

GONE = "gone_at = now(), status = CASE o.status WHEN 'open' THEN 'gone' ELSE o.status END"

# What a person has decided stays decided; only what was gone is open again.
UPSERT = f"""
ON CONFLICT (tenant_id, key) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _CHANGES)},
    status = CASE recommendations.status WHEN 'gone' THEN 'open' ELSE recommendations.status END,
    gone_at = NULL, realised = NULL, realised_days = NULL
WHERE ({_SAID}) IS DISTINCT FROM ({_SAYS}) OR recommendations.gone_at IS NOT NULL
RETURNING xmax = 0 AS is_new
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
"""  # noqa: S608
