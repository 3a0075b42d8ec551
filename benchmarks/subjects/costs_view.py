"""The explorer's month of one tenant among 100 with 60 services and three years of days, beside the raw SQL.

Ours is the page's whole question: sums by service and day, the days before to compare with, and other currencies. Theirs is
the plain statement, as the superuser, past row-level security. The totals are to be the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.db import transaction

from apps.core.context import Actor, tenant_scope
from apps.costs.explorer import ask, question_of
from benchmarks.frame import Bench, Row, at_most

SECONDS = 300
LAST = dt.date(2026, 10, 31)
FIRST = LAST - dt.timedelta(days=3 * 365)
FILL = """
INSERT INTO cost_rollups (tenant_id, day, currency, billed, effective, lines, provider, service, account, region, category)
SELECT %(tenant)s, d::date, 'USD', a, a, 1, 'aws', 'Service ' || s, 'account', 'eu-west-1', 'Usage'
FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') d, generate_series(1, %(services)s) s,
    LATERAL (SELECT round((random() * 100)::numeric + (d::date - %(first)s::date), 6) AS a) amounts
"""
SERIES = """
INSERT INTO cost_timeseries (tenant_id, service, day, amount)
SELECT tenant_id, service, day, billed FROM cost_rollups WHERE tenant_id = %s
"""
RAW = """
SELECT service, day, sum(billed) FROM cost_rollups
WHERE tenant_id = %(tenant)s AND day BETWEEN %(start)s AND %(end)s AND currency = 'USD' GROUP BY service, day
"""
RAW_BEFORE = """
SELECT service, sum(billed) FROM cost_rollups
WHERE tenant_id = %(tenant)s AND day BETWEEN %(start)s AND %(end)s AND currency = 'USD' GROUP BY service
"""
RAW_SERIES = """
SELECT service, sum(amount) FROM cost_timeseries
WHERE tenant_id = %(tenant)s AND day BETWEEN %(start)s AND %(end)s GROUP BY service
"""


def run(bench: Bench) -> Iterator[Row]:
    tenants = [bench.tenant().pk for _ in range(bench.size(100, 5))]
    with bench.superuser() as superuser:
        for tenant in tenants:
            superuser.execute(FILL, {"tenant": tenant, "first": FIRST, "last": LAST, "services": 60})
            superuser.execute(SERIES, [tenant])
            superuser.execute(
                "INSERT INTO cost_settings (id, tenant_id, currency) VALUES (gen_random_uuid(), %s, 'USD')",
                [tenant],
            )
        superuser.execute("VACUUM ANALYZE cost_rollups")
        superuser.execute("VACUUM ANALYZE cost_timeseries")
        tenant = tenants[len(tenants) // 2]
        start, end = dt.date(2026, 9, 1), dt.date(2026, 9, 30)
        month = {"tenant": tenant, "start": start, "end": end}
        before = month | {"start": start - dt.timedelta(days=30), "end": start - dt.timedelta(days=1)}

        def raw() -> object:
            rows = superuser.execute(RAW, month).fetchall()
            superuser.execute(RAW_BEFORE, before).fetchall()
            return sum(row[2] for row in rows)

        def ours() -> object:
            with tenant_scope(tenant, Actor.system("bench")), transaction.atomic():
                asked = {"from": [str(start)], "to": [str(end)], "compare": ["previous"]}
                return ask(question_of(asked)).total

        if raw() != ours():
            raise AssertionError("the month's totals differ")
        rows = 60 * ((LAST - FIRST).days + 1) * len(tenants)
        yield at_most(
            2, f"a month by service and day, and the one before, of {rows:,} rows", *bench.race(ours, raw, 15)
        )
        plain = bench.race(
            lambda: superuser.execute(RAW_SERIES, month).fetchall(),
            lambda: superuser.execute(RAW_BEFORE, month).fetchall(),
            15,
        )
        yield Row(
            "cost_timeseries by service beside the rollup, raw",
            *(f"{1000 * s:.2f} ms" for s in plain),
            plain[0] / plain[1],
        )
