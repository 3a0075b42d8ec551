"""Sums of the lines: `cost_timeseries` and the rollups, changed by what moved, and checked against the lines.

The sums are `numeric`, which adds without rounding: adding what came and taking away what went gives the same
as adding up again, to the last digit, and costs what moved rather than what there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.core.context import current_tenant_id

from ..models import CostSettings

# Lines of every kind, with a sign; `source` names the rows.
_SIGNED = """
    SELECT day, provider, service_name, coalesce(sub_account_id, '') AS account, coalesce(region_id, '') AS region,
        charge_category, billing_currency, tags, {sign} * billed_cost AS billed,
        {sign} * coalesce(effective_cost, billed_cost) AS effective, {sign} AS lines
    FROM {source}
"""
_MOVES = """
CREATE TEMPORARY TABLE moves ON COMMIT DROP AS
SELECT day, provider, service_name AS service, account, region, charge_category AS category,
    billing_currency AS currency, tags, sum(billed) AS billed, sum(effective) AS effective, sum(lines) AS lines
FROM ({rows}) signed GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
_ROLLUPS = """
INSERT INTO cost_rollups AS r
    (tenant_id, day, service, account, region, category, provider, currency, billed, effective, lines)
SELECT %(tenant)s, day, service, account, region, category, provider, currency,
    sum(billed), sum(effective), sum(lines)
FROM moves GROUP BY day, service, account, region, category, provider, currency
ON CONFLICT (tenant_id, day, service, account, region, category, provider, currency) DO UPDATE SET
    billed = r.billed + excluded.billed, effective = r.effective + excluded.effective,
    lines = r.lines + excluded.lines
"""
_TAG_ROLLUPS = """
INSERT INTO cost_tag_rollups AS r
    (tenant_id, key, day, value, service, account, category, currency, billed, effective, lines)
SELECT %(tenant)s, k.key, day, coalesce(tags ->> k.key, ''), service, account, category, currency,
    sum(billed), sum(effective), sum(lines)
FROM moves, unnest(%(keys)s::text[]) AS k(key) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ON CONFLICT (tenant_id, key, day, value, service, account, category, currency) DO UPDATE SET
    billed = r.billed + excluded.billed, effective = r.effective + excluded.effective,
    lines = r.lines + excluded.lines
"""
# The specified series: billed, in the tenant's one currency.
_SERIES = """
INSERT INTO cost_timeseries AS s (tenant_id, service, day, amount)
SELECT %(tenant)s, service, day, sum(billed) FROM moves WHERE currency = %(currency)s GROUP BY service, day
ON CONFLICT (tenant_id, service, day) DO UPDATE SET amount = s.amount + excluded.amount
"""
_EMPTY = "DELETE FROM {table} WHERE lines = 0 AND day IN (SELECT day FROM moves)"


def lock_costs() -> None:
    """One writer of a tenant's costs at a time, to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('costs:' || %s::text, 0))", [current_tenant_id()]
        )


def apply_moves(cursor: Any, settings: CostSettings) -> None:
    """Add `incoming` to the sums and take `gone` away from them."""
    rows = " UNION ALL ".join(
        _SIGNED.format(sign=sign, source=source) for sign, source in ((1, "incoming"), (-1, "gone"))
    )
    cursor.execute(_MOVES.format(rows=rows))
    _add_moves(cursor, settings)


def rebuild(cursor: Any, settings: CostSettings) -> None:
    """Make every sum again from the lines."""
    cursor.execute("DELETE FROM cost_rollups")
    cursor.execute("DELETE FROM cost_tag_rollups")
    # The app role may not delete here: a day without lines stays, with nothing.
    cursor.execute("UPDATE cost_timeseries SET amount = 0 WHERE amount <> 0")
    cursor.execute(_MOVES.format(rows=_SIGNED.format(sign=1, source="cost_lines")))
    _add_moves(cursor, settings)


def _add_moves(cursor: Any, settings: CostSettings) -> None:
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "keys": list(settings.tag_keys or []),
        "currency": settings.currency,
    }
    cursor.execute("ANALYZE moves")
    cursor.execute(_ROLLUPS, values)
    if values["keys"]:
        cursor.execute(_TAG_ROLLUPS, values)
    cursor.execute(_SERIES, values)
    for table in ("cost_rollups", "cost_tag_rollups"):
        cursor.execute(_EMPTY.format(table=table))
    cursor.execute("DROP TABLE moves")


@dataclass(frozen=True)
class Difference:
    """A sum that is not what its lines add up to; money as exact text."""

    table: str
    key: str
    stored: str
    lines: str


_CHECKS = {
    "cost_timeseries": """
        SELECT coalesce(s.service, l.service) || ' ' || coalesce(s.day, l.day), coalesce(s.amount, 0), l.amount
        FROM cost_timeseries s FULL JOIN (
            SELECT service_name AS service, day, sum(billed_cost) AS amount FROM cost_lines
            WHERE billing_currency = %(currency)s GROUP BY 1, 2
        ) l ON l.service = s.service AND l.day = s.day
        WHERE coalesce(s.amount, 0) <> coalesce(l.amount, 0)
    """,
    "cost_rollups": """
        SELECT concat_ws(' ', coalesce(r.service, l.service), coalesce(r.day, l.day)), r.billed, l.billed
        FROM cost_rollups r FULL JOIN (
            SELECT day, service_name AS service, coalesce(sub_account_id, '') AS account,
                coalesce(region_id, '') AS region, charge_category AS category, provider,
                billing_currency AS currency, sum(billed_cost) AS billed,
                sum(coalesce(effective_cost, billed_cost)) AS effective, count(*) AS lines
            FROM cost_lines GROUP BY 1, 2, 3, 4, 5, 6, 7
        ) l USING (day, service, account, region, category, provider, currency)
        WHERE (r.billed, r.effective, r.lines) IS DISTINCT FROM (l.billed, l.effective, l.lines)
    """,
    "cost_tag_rollups": """
        SELECT concat_ws(' ', key, coalesce(r.value, l.value), coalesce(r.day, l.day)), r.billed, l.billed
        FROM cost_tag_rollups r FULL JOIN (
            SELECT k.key, day, coalesce(tags ->> k.key, '') AS value, service_name AS service,
                coalesce(sub_account_id, '') AS account, charge_category AS category,
                billing_currency AS currency, sum(billed_cost) AS billed, count(*) AS lines
            FROM cost_lines, unnest(%(keys)s::text[]) AS k(key) GROUP BY 1, 2, 3, 4, 5, 6, 7
        ) l USING (key, day, value, service, account, category, currency)
        WHERE (r.billed, r.lines) IS DISTINCT FROM (l.billed, l.lines)
    """,
}


def check_sums(settings: CostSettings, limit: int = 100) -> list[Difference]:
    """Every sum that is not what its lines add up to; empty where all is right."""
    found: list[Difference] = []
    values: dict[str, Any] = {"currency": settings.currency, "keys": list(settings.tag_keys or [])}
    with connection.cursor() as cursor:
        for table, check in _CHECKS.items():
            cursor.execute(f"{check} LIMIT {int(limit)}", values)
            found += [
                Difference(table, str(k), str(stored), str(lines)) for k, stored, lines in cursor.fetchall()
            ]
    return found
