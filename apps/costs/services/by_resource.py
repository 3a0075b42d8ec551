"""What resources cost lately, as relations for rooms that join them: see apps.catalog.resource_costs."""

from __future__ import annotations

# Fixed by the last day that any bill has told of: today's costs are not known yet.
_WINDOW = """
window_ AS (
    SELECT max(p.last_day) - 29 AS first_day, max(p.last_day) AS last_day,
        (SELECT s.currency FROM cost_settings s WHERE s.tenant_id = %(tenant)s) AS currency
    FROM cost_periods p WHERE p.tenant_id = %(tenant)s
)"""

RESOURCE_COSTS = f"""
WITH {_WINDOW}
SELECT l.resource_id, sum(coalesce(l.effective_cost, l.billed_cost)) AS amount, w.currency, min(l.day) AS first_day,
    w.last_day
FROM window_ w JOIN cost_lines l
    ON l.tenant_id = %(tenant)s AND l.day BETWEEN w.first_day AND w.last_day AND l.billing_currency = w.currency
WHERE l.resource_id IS NOT NULL AND l.charge_category = 'Usage'
GROUP BY l.resource_id, w.currency, w.last_day
"""  # noqa: S608

RESOURCE_DAYS = f"""
WITH {_WINDOW}
SELECT l.resource_id, l.day, sum(coalesce(l.effective_cost, l.billed_cost)) AS amount
FROM window_ w JOIN cost_lines l
    ON l.tenant_id = %(tenant)s AND l.day BETWEEN w.first_day - 1 AND w.last_day AND l.billing_currency = w.currency
WHERE l.resource_id IS NOT NULL AND l.charge_category = 'Usage'
GROUP BY l.resource_id, l.day
UNION ALL SELECT NULL, w.last_day, NULL FROM window_ w
"""  # noqa: S608

# Of a day without on-demand usage nothing is steady: 30 days must be there.
ON_DEMAND_USAGE = f"""
WITH {_WINDOW},
days AS (
    SELECT l.provider, l.service_name AS service, l.day, w.currency, w.first_day, w.last_day,
        coalesce(sum(coalesce(l.effective_cost, l.billed_cost))
            FILTER (WHERE l.commitment_discount_id IS NULL AND l.pricing_category IS DISTINCT FROM 'Committed'), 0)
            AS on_demand,
        coalesce(sum(coalesce(l.effective_cost, l.billed_cost))
            FILTER (WHERE l.commitment_discount_id IS NOT NULL OR l.pricing_category = 'Committed'), 0) AS committed
    FROM window_ w JOIN cost_lines l
        ON l.tenant_id = %(tenant)s AND l.day BETWEEN w.first_day AND w.last_day AND l.billing_currency = w.currency
    WHERE l.charge_category = 'Usage' AND l.service_category IN ('Compute', 'Databases')
        AND l.pricing_category IS DISTINCT FROM 'Dynamic'
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT provider, service, CASE WHEN count(*) = 30 THEN min(on_demand) END AS least, sum(on_demand) AS on_demand,
    sum(committed) AS committed, currency, first_day, last_day
FROM days GROUP BY provider, service, currency, first_day, last_day
"""  # noqa: S608
