"""Archive: moving closed violations into the history while people read, against a plain INSERT … SELECT and DELETE."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections.abc import Iterator

from django.db import connection

from apps.archive.moving import move_batch
from apps.archive.tables import VIOLATIONS
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.findings.queries import counter_drift, violation_counts, violation_records
from benchmarks.frame import Bench, Row, spell
from tests.fixtures.rows import make_policy

SECONDS = 600.0
OPEN = 20_000

FILL = """
INSERT INTO violations (id, tenant_id, policy_id, severity, reason, status, first_seen, last_seen, fixed_at)
SELECT new_uuid7(), %(tenant)s, %(policy)s, (ARRAY['low', 'medium', 'high', 'critical'])[1 + n %% 4],
       'storage is open to everybody: ' || n, %(status)s, now() - interval '500 days',
       now() - make_interval(mins => n), CASE %(status)s WHEN 'fixed' THEN now() - make_interval(days => 91 + n %% 360) END
FROM generate_series(1, %(rows)s) n
"""
# What moving is at the least: the same rows into a bare copy of the table, and out of theirs, in batches, by a superuser.
PLAIN = """
CREATE TABLE plain AS SELECT * FROM violations WHERE tenant_id = %(tenant)s;
CREATE INDEX ON plain ((coalesce(fixed_at, last_seen))) WHERE status = 'fixed';
CREATE INDEX ON plain (id);
CREATE TABLE plain_history (LIKE violations_history INCLUDING DEFAULTS INCLUDING INDEXES);
"""
PLAIN_BATCH = """
WITH due AS MATERIALIZED (SELECT id FROM plain WHERE status = 'fixed' ORDER BY coalesce(fixed_at, last_seen) LIMIT %s),
gone AS (DELETE FROM plain p USING due WHERE p.id = due.id RETURNING p.*)
INSERT INTO plain_history (tenant_id, id, policy_id, resource_id, severity, severity_rank, reason, first_seen, last_seen,
                           fixed_at, policy_version, source, closed_at, segment_id)
SELECT tenant_id, id, policy_id, resource_id, severity, severity_rank, reason, first_seen, last_seen, fixed_at,
       policy_version, source, coalesce(fixed_at, last_seen), gen_random_uuid() FROM gone
"""


def run(bench: Bench) -> Iterator[Row]:
    rows, tenant_id = bench.size(1_000_000, 50_000), bench.tenant("Archive").pk
    with tenant_transaction(tenant_id, Actor.system("bench")):
        policy = make_policy()
    with bench.superuser() as superuser:
        for status, n in (("fixed", rows), ("open", OPEN)):
            superuser.execute(FILL, {"tenant": tenant_id, "policy": policy.pk, "status": status, "rows": n})
        superuser.execute("VACUUM ANALYZE violations")
        superuser.execute(PLAIN.replace("%(tenant)s", f"'{tenant_id}'"))
        began = time.monotonic()
        while superuser.execute(PLAIN_BATCH, [2000]).rowcount:
            pass
        plain = time.monotonic() - began
    before = _shown(tenant_id)
    waits, stop = [], threading.Event()
    reader = threading.Thread(target=_read, args=(tenant_id, waits, stop))
    reader.start()
    began, batches = time.monotonic(), []
    with tenant_scope(tenant_id, Actor.system("bench")):
        while True:
            start = time.monotonic()
            if not move_batch(VIOLATIONS):
                break
            batches.append(time.monotonic() - start)
    ours = time.monotonic() - began
    stop.set()
    reader.join()
    if _shown(tenant_id) != before:
        raise AssertionError("what is shown has changed")
    what = f"{rows:,} closed violations into the history, with counters, digests and audit rows"
    yield Row(what, spell(ours), spell(plain), plain / ours)
    yield Row(
        "a batch of 2,000, median and longest", f"{spell(statistics.median(batches))}, {spell(max(batches))}"
    )
    yield Row(
        f"a page of the list meanwhile, median and longest of {len(waits):,}",
        f"{spell(statistics.median(waits))}, {spell(max(waits))}",
    )


def _shown(tenant_id: uuid.UUID) -> tuple[object, ...]:
    with tenant_transaction(tenant_id):
        return violation_counts(), counter_drift(), _page()


def _page() -> list[object]:
    order = ("-severity_rank", "-last_seen", "-id")
    return list(violation_records().order_by(*order).values_list("pk", "shown_status")[:50])


def _read(tenant_id: uuid.UUID, waits: list[float], stop: threading.Event) -> None:
    try:
        while not stop.is_set():
            began = time.monotonic()
            with tenant_transaction(tenant_id):
                _page()
            waits.append(time.monotonic() - began)
            time.sleep(0.02)
    finally:
        connection.close()
