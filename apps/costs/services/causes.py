"""What an anomaly consists of: the service's lines of its days beside those of the same weekdays before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from ..detection import rank_causes
from .settings import cost_settings

BASELINE_WEEKS = 4
# Of a long event its first days tell the cause; of a month all lines would have to be read.
LOOKED_AT_DAYS = 7

# One pass over the lines of the days and of their weekdays before; `now` are sums, `before` a usual day's.
_PARTS = """
WITH days AS (SELECT unnest(%(now)s::date[]) AS day),
before AS (SELECT unnest(%(before)s::date[]) AS day),
lines AS (
    SELECT l.*, l.day IN (SELECT day FROM days) AS is_now FROM cost_lines l
    WHERE l.day = ANY(%(all)s) AND l.service_name = %(service)s AND l.billing_currency = %(currency)s
        AND l.charge_category <> ALL(%(left_out)s)
),
parts AS (
    SELECT 'resource' AS dimension, resource_native_id AS value, coalesce(resource_name, resource_native_id) AS label,
        is_now, billed_cost FROM lines WHERE resource_native_id IS NOT NULL
    UNION ALL SELECT 'sku', coalesce(sku_meter, charge_description), coalesce(sku_meter, charge_description),
        is_now, billed_cost FROM lines WHERE coalesce(sku_meter, charge_description) IS NOT NULL
    UNION ALL SELECT 'account', sub_account_id, coalesce(sub_account_name, sub_account_id), is_now, billed_cost
        FROM lines WHERE sub_account_id IS NOT NULL
    UNION ALL SELECT 'region', region_id, coalesce(region_name, region_id), is_now, billed_cost
        FROM lines WHERE region_id IS NOT NULL
    UNION ALL SELECT 'tag:' || k.key, tags ->> k.key, tags ->> k.key, is_now, billed_cost
        FROM lines, unnest(%(keys)s::text[]) k(key) WHERE tags ? k.key AND tags ->> k.key <> ''
)
SELECT dimension, value, min(label),
    coalesce(sum(billed_cost) FILTER (WHERE NOT is_now), 0) * %(scale)s,
    coalesce(sum(billed_cost) FILTER (WHERE is_now), 0)
FROM parts GROUP BY 1, 2
"""


def causes_of(service: str, days: Sequence[dt.date], currency: str) -> list[dict[str, Any]]:
    """The ranked causes of a service's days, as they are stored; empty where there are no lines behind them."""
    now = list(days[:LOOKED_AT_DAYS])
    before = sorted(
        {day - dt.timedelta(weeks=week) for day in now for week in range(1, BASELINE_WEEKS + 1)} - set(days)
    )
    # Days of the event itself are no baseline, so of fewer days a usual day's share is taken.
    scale = Decimal(len(now)) / Decimal(len(before)) if before else Decimal(0)
    with connection.cursor() as cursor:
        cursor.execute(
            _PARTS,
            {
                "now": now,
                "before": before,
                "all": [*now, *before],
                "service": service,
                "currency": currency,
                "left_out": ["Purchase", "Tax"],
                "keys": list(cost_settings().tag_keys or []),
                "scale": scale,
            },
        )
        parts = cursor.fetchall()
        difference = _difference(cursor, service, now, before, currency, scale)
    return [
        {
            "dimension": cause.dimension,
            "value": cause.value,
            "label": cause.label,
            "before": format(cause.before, "f"),
            "now": format(cause.now, "f"),
            "difference": format(cause.difference, "f"),
            "share": format(cause.share, "f"),
        }
        for cause in rank_causes(parts, difference)
    ]


def _difference(
    cursor: Any,
    service: str,
    now: Sequence[dt.date],
    before: Sequence[dt.date],
    currency: str,
    scale: Decimal,
) -> Decimal:
    cursor.execute(
        "SELECT coalesce(sum(billed) FILTER (WHERE day = ANY(%(now)s)), 0) - "
        "coalesce(sum(billed) FILTER (WHERE day = ANY(%(before)s)), 0) * %(scale)s "
        "FROM cost_rollups WHERE service = %(service)s AND currency = %(currency)s "
        "AND category <> ALL(%(left_out)s) AND day = ANY(%(all)s)",
        {
            "now": list(now),
            "before": list(before),
            "all": [*now, *before],
            "scale": scale,
            "service": service,
            "currency": currency,
            "left_out": ["Purchase", "Tax"],
        },
    )
    return Decimal(cursor.fetchone()[0])
