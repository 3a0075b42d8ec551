"""The statements of a finops scan."""

from __future__ import annotations

from ..services.recommendation_sql import GONE, UPSERT

# A month has 30 days here. A resource younger than that is scaled up from its own days, from a week at least.
_MONTH = """
    CASE WHEN c.amount IS NULL THEN NULL ELSE
        round(c.amount * 30 / least(greatest(c.last_day - c.first_day + 1, 7), 30) * d.share, 2) END"""

_EVIDENCE = """
    jsonb_strip_nulls(jsonb_build_object('why', h.reason, 'assumes', nullif(d.assumes, ''), 'share', d.share,
        'costs', CASE WHEN c.amount IS NULL THEN NULL ELSE jsonb_build_object('amount', c.amount::text,
            'currency', c.currency, 'from', c.first_day, 'to', c.last_day) END))"""

_TABLE = """
    unnest(%(rules)s::text[], %(kinds)s::text[], %(severities)s::text[], %(titles)s::text[], %(advices)s::text[],
        %(shares)s::numeric[], %(confidences)s::numeric[], %(risks)s::numeric[], %(remedies)s::text[],
        %(assumptions)s::text[])
        AS d (rule, kind, severity, title, advice, share, confidence, risk, remedy, assumes)"""

FOUND = f"""
WITH h AS MATERIALIZED ({{hits}}),
d AS (SELECT * FROM {_TABLE}),
c AS ({{costs}}),
written AS (
    INSERT INTO recommendations (id, tenant_id, kind, severity, title, description, savings, risk_reduction,
        confidence, rule, resource_id, source, key, evidence, currency, remedy)
    SELECT new_uuid7(), %(tenant)s, d.kind, d.severity, left(d.title || ': ' || r.name, 300), d.advice, {_MONTH},
        d.risk, d.confidence, d.rule, r.id, '', d.rule || ':' || r.id, {_EVIDENCE}, coalesce(c.currency, ''), d.remedy
    FROM h JOIN d ON d.rule = h.policy_id
    JOIN resources r ON r.tenant_id = %(tenant)s AND r.id = h.resource_id
    LEFT JOIN c ON c.resource_id = h.resource_id
    WHERE h.outcome = 'hit'
    ORDER BY h.resource_id
    {UPSERT}
),
-- Of this statement's type only: a detector may look at several. One that could not be decided says nothing.
gone AS (
    UPDATE recommendations o SET {GONE}
    WHERE o.tenant_id = %(tenant)s AND o.source = '' AND o.rule = ANY(%(rules)s) AND o.gone_at IS NULL
        AND NOT EXISTS (SELECT FROM h WHERE h.policy_id = o.rule AND h.resource_id = o.resource_id)
        AND NOT EXISTS (SELECT FROM resources r WHERE r.tenant_id = %(tenant)s AND r.id = o.resource_id
            AND lower(r.type) <> %(type)s)
    RETURNING 1
)
SELECT (SELECT count(*) FROM h WHERE outcome = 'hit'), (SELECT count(*) FROM h WHERE outcome <> 'hit'),
    (SELECT count(*) FROM written WHERE is_new), (SELECT count(*) FROM written WHERE NOT is_new),
    (SELECT count(*) FROM gone)
"""  # noqa: S608

# Commitments: what ran on demand on each of 30 days could have been committed to.
COVERAGE = f"""
WITH u AS ({{usage}}),
h AS (
    SELECT 'finops/commitment-coverage:' || provider || ':' || service AS key, u.*,
        on_demand / nullif(on_demand + committed, 0) AS uncovered
    FROM u WHERE least * 30 * %(share)s >= 1
),
written AS (
    INSERT INTO recommendations (id, tenant_id, kind, severity, title, description, savings, risk_reduction,
        confidence, rule, source, key, evidence, currency, remedy)
    SELECT new_uuid7(), %(tenant)s, 'cost_optimization', 'medium',
        left(service || ' runs on demand without a commitment', 300),
        'Commit to what runs every day: a reservation, a savings plan or committed use for a year.',
        round(least * 30 * %(share)s, 2), 0, 0.7, 'finops/commitment-coverage', '', key,
        jsonb_build_object('why', 'On each of 30 days at least ' || round(least, 2) || ' ' || currency
                || ' of ' || service || ' ran on demand; ' || round(uncovered * 100)
                || ' %% of the usage is not covered',
            'assumes', %(assumes)s::text, 'share', %(share)s::numeric,
            'costs', jsonb_build_object('amount', on_demand::text, 'currency', currency, 'from', first_day,
                'to', last_day)),
        currency, ''
    FROM h ORDER BY key
    {UPSERT}
),
gone AS (
    UPDATE recommendations o SET {GONE}
    WHERE o.tenant_id = %(tenant)s AND o.source = '' AND o.rule = 'finops/commitment-coverage' AND o.gone_at IS NULL
        AND NOT EXISTS (SELECT FROM h WHERE h.key = o.key)
    RETURNING 1
)
SELECT (SELECT count(*) FROM h), 0, (SELECT count(*) FROM written WHERE is_new),
    (SELECT count(*) FROM written WHERE NOT is_new), (SELECT count(*) FROM gone)
"""  # noqa: S608

# Of what was accepted and is done: the mean day of the costs that decided, less the mean day since, for a month.
# From a week of bills on, until a month of them is there. `days` are (resource_id, day, amount) of the last 31 days.
REALISED = """
WITH done AS (
    SELECT o.id, o.resource_id, o.gone_at::date AS since, (o.evidence #>> '{{costs,amount}}')::numeric
        / ((o.evidence #>> '{{costs,to}}')::date - (o.evidence #>> '{{costs,from}}')::date + 1) AS before
    FROM recommendations o
    WHERE o.tenant_id = %(tenant)s AND o.status = 'accepted' AND o.gone_at IS NOT NULL
        AND o.resource_id IS NOT NULL AND o.evidence ? 'costs'
),
days AS MATERIALIZED ({days}),
known AS (SELECT max(day) AS last_day FROM days),
after AS (
    SELECT d.id, least(k.last_day - d.since, 30) AS days,
        round((d.before - coalesce(sum(c.amount), 0) / least(k.last_day - d.since, 30)) * 30, 2) AS saved
    FROM done d CROSS JOIN known k
    LEFT JOIN days c ON c.resource_id = d.resource_id AND c.day > d.since AND c.day <= d.since + 30
    WHERE k.last_day - d.since BETWEEN 7 AND 31
    GROUP BY d.id, d.since, d.before, k.last_day
)
UPDATE recommendations o SET realised = a.saved, realised_days = a.days
FROM after a WHERE o.id = a.id AND (o.realised, o.realised_days) IS DISTINCT FROM (a.saved, a.days)
"""
