"""Policies as SQL beside c7n on the same rows, together beside apart, and with beside without row-level security.

"M" is a million resource × policy evaluations a second: every policy is counted for every row of the estate that the
measurement is about, whether or not its type lets the row be looked at; the same for c7n. c7n judges a sample, and its
hits there are to be those of the SQL. All on one core, as the app role, on the product's own tables.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg

from apps.rules.sql.query import group_by_type, hits_query
from benchmarks import estate
from benchmarks.by_c7n import by_c7n, c7n_filters, fetch
from benchmarks.frame import Bench, Row, at_least, at_most, best, took
from benchmarks.loading import in_import_order, load
from benchmarks.policies import STORAGE, Policies, mixed_policies, storage_policies

SECONDS = 480
SAMPLE = 20_000


def run(bench: Bench) -> Iterator[Row]:
    total = bench.size(1_000_000, 50_000)
    tenant_id = bench.tenant().pk
    with bench.superuser() as superuser, bench.as_app(tenant_id) as app:
        for connection in (superuser, app):
            connection.execute("SET jit = off")
            connection.execute("SET work_mem = '64MB'")
        load(superuser, tenant_id, in_import_order(list(estate.rows(total))))
        measured = _Measured(tenant_id, app, superuser, total)
        yield from measured.beside_c7n()
        yield from measured.one_type()
        yield from measured.row_level_security()


class _Measured:
    def __init__(
        self, tenant_id: uuid.UUID, app: psycopg.Connection, superuser: psycopg.Connection, total: int
    ) -> None:
        self.tenant_id, self.app, self.superuser, self.total = tenant_id, app, superuser, total

    def hits(self, policies: Policies) -> set[tuple[str, str]]:
        """(policy, resource) of every hit: one statement a type."""
        found: set[tuple[str, str]] = set()
        for type_, members in group_by_type(policies).items():
            query = hits_query(members, tenant_id=self.tenant_id, resource_type=type_)
            found.update(
                (row[1], row[0]) for row in self.app.execute(query.text, query.params) if row[2] == "hit"
            )
        return found

    def count(self, policies: Policies, counted: str = "h.policy_id") -> int:
        """How many hits; the rows stay in the database. Reasons are made if they are what is counted."""
        total = 0
        for type_, members in group_by_type(policies).items():
            query = hits_query(members, tenant_id=self.tenant_id, resource_type=type_)
            row = self.app.execute(f"SELECT count({counted}) FROM ({query.text}) h", query.params).fetchone()
            total += row[0] if row else 0
        return total

    def beside_c7n(self) -> Iterator[Row]:
        ten, filters, sample = mixed_policies(), c7n_filters(), min(self.total, SAMPLE)
        limit = f"r{sample:08d}"
        expected = by_c7n(fetch(self.app, sample), filters)
        mine = {hit for hit in self.hits(ten) if hit[1] < limit}
        if mine != expected:
            raise SystemExit(
                f"SQL and c7n differ: {len(mine - expected)} only by SQL, {len(expected - mine)} only by c7n"
            )
        memory = fetched = plain = told = float("inf")
        for _ in range(2):
            fetching, documents = took(lambda: fetch(self.app, sample))
            evaluating, _ = took(lambda documents=documents: by_c7n(documents, filters))
            memory, fetched = min(memory, evaluating), min(fetched, fetching + evaluating)
            del documents
            plain = min(plain, took(lambda: self.count(ten))[0])
            told = min(told, took(lambda: self.count(ten, "h.reason"))[0])
        theirs, whole = self.rate(10, sample, memory), self.rate(10, sample, fetched)
        ours = self.rate(10, self.total, plain)
        what = f"mixed 10 policies, {self.total:,} rows, against fetch + c7n"
        yield Row(what, f"{ours:.2f} M", f"{whole:.2f} M", ours / whole, "≥ 25 ×", ours / whole >= 25)
        yield Row(
            "the same against c7n with the rows in memory", f"{ours:.2f} M", f"{theirs:.2f} M", ours / theirs
        )
        with_reasons = self.rate(10, self.total, told)
        yield Row(
            "the same with a reason for each hit, fetch + c7n",
            f"{with_reasons:.2f} M",
            f"{whole:.2f} M",
            with_reasons / whole,
            "≥ 25 ×",
            with_reasons / whole >= 25,
        )

    @staticmethod
    def rate(policies: int, rows: int, seconds: float) -> float:
        return policies * rows / seconds / 1e6

    def one_type(self) -> Iterator[Row]:
        found = self.app.execute(
            "SELECT count(*) FROM resources WHERE type = %s", (STORAGE.lower(),)
        ).fetchone()
        rows = found[0] if found else 0
        for number, goal in ((10, None), (50, 4.0), (200, 4.0)):
            policies = storage_policies(number)
            few = policies[:10]
            together, _ = best(lambda policies=policies: self.count(policies))
            apart, _ = best(lambda few=few: [self.count([each]) for each in few], 2)
            apart *= number / len(few)
            what = f"{number} policies on one type ({rows:,} rows), {self.rate(number, rows, together):.1f} M, against one by one"
            row = at_least(goal or 1, what, together, apart)
            yield row if goal else Row(row.what, row.ours, row.theirs, row.ratio)

    def row_level_security(self) -> Iterator[Row]:
        """In turns statement by statement: whatever else the machine does meets both."""
        with_it = without = 0.0
        for type_, members in group_by_type(mixed_policies()).items():
            query = hits_query(members, tenant_id=self.tenant_id, resource_type=type_)
            counted = f"SELECT count(h.policy_id) FROM ({query.text}) h"
            shortest = [float("inf"), float("inf")]
            for _ in range(5):
                for side, connection in enumerate((self.app, self.superuser)):
                    seconds, _ = took(
                        lambda c=connection, s=counted, q=query: c.execute(s, q.params).fetchone()
                    )
                    shortest[side] = min(shortest[side], seconds)
            with_it, without = with_it + shortest[0], without + shortest[1]
        yield at_most(1.1, "mixed 10 policies under row-level security against without", with_it, without)
