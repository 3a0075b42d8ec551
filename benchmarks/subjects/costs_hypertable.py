"""cost_timeseries as a hypertable beside a plain table of the same columns, indexes and row-level security.

100 tenants, 60 services, three years of days, on the one server of the run, as the app role. Only a TimescaleDB has a
hypertable: `TEST_POSTGRES=timescale` takes the one that `make test-timescale` builds, and `make bench-timescale` does both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import psycopg

from benchmarks.frame import Bench, Row, took

SECONDS = 600
LAST = dt.date(2026, 10, 31)
FIRST = LAST - dt.timedelta(days=3 * 365)
SERVICES = 60
IS_HYPERTABLE = """
SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'
"""
PLAIN = """
CREATE TABLE cost_plain (LIKE cost_timeseries INCLUDING ALL);
ALTER TABLE cost_plain ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON cost_plain USING (
    tenant_id = (SELECT nullif(current_setting('rls.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON cost_plain TO PUBLIC;
"""
FILL = """
INSERT INTO {table} (tenant_id, service, day, amount)
SELECT t, 'Service ' || s, d::date, round((random() * 100)::numeric, 6)
FROM unnest(%(tenants)s::uuid[]) t, generate_series(%(first)s::date, %(last)s::date, interval '1 day') d,
    generate_series(1, %(services)s) s
ORDER BY d
"""
# A month of one tenant as an import brings it: new, or restated over what is there.
UPSERT = """
INSERT INTO {table} (tenant_id, service, day, amount)
SELECT %(tenant)s, 'Service ' || s, d::date, round((random() * 100)::numeric, 6)
FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') d, generate_series(1, %(services)s) s
ON CONFLICT (tenant_id, service, day) DO UPDATE SET amount = excluded.amount
"""
BY_DAY = """
SELECT service, day, sum(amount) FROM {table}
WHERE tenant_id = %(tenant)s AND day BETWEEN %(first)s AND %(last)s GROUP BY service, day
"""
BY_MONTH = """
SELECT service, date_trunc('month', day), sum(amount) FROM {table} WHERE tenant_id = %(tenant)s GROUP BY 1, 2
"""
TABLES = ("cost_timeseries", "cost_plain")


def run(bench: Bench) -> Iterator[Row]:
    with bench.superuser() as superuser:
        if superuser.execute(IS_HYPERTABLE).fetchone() == (0,):
            yield Row(
                "hypertable against plain table: this server has no TimescaleDB", "make bench-timescale"
            )
            return
        tenants = [bench.tenant().pk for _ in range(bench.size(100, 5))]
        superuser.execute(PLAIN)
        years = {"tenants": tenants, "first": FIRST, "last": LAST, "services": SERVICES}
        # Each once, into an empty table: what a first import of all of it takes.
        ours, theirs = (took(_on(superuser, table, FILL, years))[0] for table in TABLES)
        rows = SERVICES * ((LAST - FIRST).days + 1) * len(tenants)
        yield _row(f"filling it with {rows:,} rows", ours, theirs)
        for table in TABLES:
            superuser.execute(f"VACUUM ANALYZE {table}")
        sums = {superuser.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES}
        if sums != {(rows,)}:
            raise AssertionError(f"not the same rows: {sums}")
        size = [superuser.execute(_SIZE[table]).fetchone()[0] for table in TABLES]  # type: ignore[index]
        yield Row("its size", f"{size[0] / 1e6:,.0f} MB", f"{size[1] / 1e6:,.0f} MB", size[0] / size[1])
    tenant = tenants[len(tenants) // 2]
    month = {"tenant": tenant, "first": dt.date(2026, 9, 1), "last": dt.date(2026, 9, 30)}
    later = month | {"first": LAST + dt.timedelta(days=1), "last": LAST + dt.timedelta(days=30)}
    with bench.as_app(tenant) as app:
        asked = {
            "a month of one tenant by service and day": (BY_DAY, month),
            "three years of one tenant by service and month": (BY_MONTH, month),
            "a month of one tenant restated": (UPSERT, month | {"services": SERVICES}),
            "a month of one tenant that is new (and again)": (UPSERT, later | {"services": SERVICES}),
        }
        for what, (statement, values) in asked.items():
            yield _row(what, *bench.race(*(_on(app, table, statement, values) for table in TABLES), 15))


_SIZE = {
    "cost_timeseries": "SELECT hypertable_size('cost_timeseries')",
    "cost_plain": "SELECT pg_total_relation_size('cost_plain')",
}


def _on(
    connection: psycopg.Connection, table: str, statement: str, values: dict[str, object]
) -> Callable[[], object]:
    def work() -> object:
        cursor = connection.execute(statement.format(table=table), values)
        return cursor.fetchall() if cursor.description else cursor.rowcount

    return work


def _row(what: str, ours: float, theirs: float) -> Row:
    return Row(what, f"{1000 * ours:,.1f} ms", f"{1000 * theirs:,.1f} ms", ours / theirs)
