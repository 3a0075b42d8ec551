"""A day in the past beside today: counts and a page of violations, with a million events of two years behind them.

Theirs is the same question of the live tables, which keep no past. Both as the app role, under row-level security.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from django.db import transaction

from apps.core.context import Actor, tenant_scope
from apps.core.pagination import Keyset
from apps.findings.history import REBUILT, counts_before, standing_before
from apps.findings.models import Violation
from apps.findings.queries import violation_counts
from benchmarks.frame import Bench, Row, spell

SECONDS = 240
PAGE = 50
DAYS = 730
NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
RESOURCES = """
INSERT INTO resources (id, tenant_id, provider, type, native_id, name)
SELECT 'r-' || n, %(tenant)s, 'aws', 'aws.s3', 'bucket-' || n, 'bucket-' || n FROM generate_series(1, %(rows)s) n
"""
POLICIES = """
INSERT INTO policies (id, tenant_id, name, provider, type, status, language)
SELECT 'p-' || n, %(tenant)s, 'policy ' || n, 'aws', 'aws.s3', 'active', 'custodian' FROM generate_series(1, 40) n
"""
VIOLATIONS = """
INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason, status, first_seen, last_seen)
SELECT gen_random_uuid(), %(tenant)s, 'p-' || (1 + n %% 40), 'r-' || n,
    (ARRAY['low', 'medium', 'high', 'critical'])[1 + n %% 4], 'breaks it', CASE n %% 3 WHEN 0 THEN 'fixed' ELSE 'open' END,
    %(now)s - interval '2 years', %(now)s FROM generate_series(1, %(rows)s) n
"""
# Opened and fixed in turns, at random moments; the last word is the violation's status.
EVENTS = """
INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind, status, at, recorded_at)
SELECT tenant_id, id, policy_id, resource_id, severity,
    CASE WHEN (%(each)s - n) %% 2 = (status = 'fixed')::int THEN 'opened' ELSE 'fixed' END,
    CASE WHEN (%(each)s - n) %% 2 = (status = 'fixed')::int THEN 'open' ELSE 'fixed' END, at, at
FROM (
    SELECT v.*, n, %(now)s - (interval '1 day' * %(days)s / %(each)s) * (%(each)s - n + random()) AS at
    FROM violations v, generate_series(1, %(each)s) n WHERE v.tenant_id = %(tenant)s
) x ORDER BY at
"""
SUMS = f"INSERT INTO posture_days (tenant_id, day, policy_id, severity, status, delta) SELECT %(tenant)s, r.* FROM ({REBUILT}) r"
EACH = 10


def run(bench: Bench) -> Iterator[Row]:
    rows = bench.size(100_000, 4_000)
    tenant = bench.tenant().pk
    values = {"tenant": tenant, "rows": rows, "now": NOW, "each": EACH, "days": DAYS}
    with bench.superuser() as superuser:
        for statement in (RESOURCES, POLICIES, VIOLATIONS):
            superuser.execute(statement, values)
        # The triggers' own lines of today would be the last word; these are put in their place.
        for table in ("violation_events", "posture_days"):
            superuser.execute(f"DELETE FROM {table}")
        superuser.execute(EVENTS, values)
        superuser.execute(SUMS, values)
        for table in ("violations", "violation_events", "posture_days", "violation_counters"):
            superuser.execute(f"VACUUM ANALYZE {table}")

    def within(work: Callable[[], object]) -> Callable[[], object]:
        def ran() -> object:
            with tenant_scope(tenant, Actor.system("bench")), transaction.atomic():
                return work()

        return ran

    newest, past = Keyset("-last_seen", "-id"), Keyset("-at", "-id")
    live_counts = within(violation_counts_now)
    live_page = within(
        lambda: newest.page(Violation.objects.filter(status="open"), cursor=None, size=PAGE).items
    )
    for words, before in (("yesterday", 1), ("half a year ago", 182), ("two years ago", DAYS - 20)):
        bound = NOW - dt.timedelta(days=before)
        counts = within(lambda bound=bound: counts_before(bound))  # type: ignore[misc]

        page = within(
            lambda bound=bound: past.page(standing_before(bound), cursor=None, size=PAGE).items  # type: ignore[misc]
        )
        _check(superuser_counts(bench, tenant, bound), counts())
        if len(page()) != PAGE:  # type: ignore[arg-type]
            raise AssertionError(f"a page of {len(page())} rows")  # type: ignore[arg-type]
        ours, theirs = bench.race(counts, live_counts, 7)
        yield Row(f"counts as of {words}, {rows * EACH:,} events", spell(ours), spell(theirs), ours / theirs)
        ours, theirs = bench.race(page, live_page, 7)
        yield Row(f"a page of violations as of {words}", spell(ours), spell(theirs), ours / theirs)


def violation_counts_now() -> object:
    return list(violation_counts())


def superuser_counts(bench: Bench, tenant: object, bound: dt.datetime) -> dict[str, int]:
    """What stood then, by the last event of each violation."""
    with bench.superuser() as superuser:
        found = superuser.execute(
            "SELECT status, count(*) FROM (SELECT DISTINCT ON (violation_id) status FROM violation_events"
            " WHERE tenant_id = %s AND at < %s ORDER BY violation_id, at DESC, id DESC) last GROUP BY 1",
            [tenant, bound],
        )
        return dict(found.fetchall())


def _check(raw: dict[str, int], told: object) -> None:
    sums: dict[str, int] = {}
    for count in told:  # type: ignore[attr-defined]
        sums[count.status] = sums.get(count.status, 0) + count.n
    if sums != raw:
        raise AssertionError(f"{sums} is told, {raw} it was")
