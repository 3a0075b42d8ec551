"""The frame of `make bench`: what a subject gets, what it gives back.

**To add a benchmark**, put a module into benchmarks/subjects/; nothing else is to be registered. Its name is the
benchmark's name, the first line of its docstring its title, and it has one function

    def run(bench: Bench) -> Iterator[Row]:
        ours, theirs = bench.race(lambda: append(1000), lambda: plain_insert(1000))
        yield at_least(1.0, "append of 1,000 rows against a plain INSERT", ours, theirs)

which yields a row as soon as it is measured: what came before a time limit is printed. Both sides are measured in the
same run, on the same server, in turns (`Bench.race`), and a row whose two sides do not give the same result is
to raise, not to be printed. Optional: `SECONDS = 120`, the time it may take (60 unless said; a fifth with `--quick`
is what it should aim at, by `bench.size(full, quick)`).

A subject runs in a process of its own, with Django set up as the app role, on a database of its own that is migrated and
empty; PostgreSQL, Valkey and S3 are the test suite's (tests/servers.py), without fsync. `bench.tenant()` makes a tenant,
`bench.superuser()` is a connection past row-level security: for the other side of a comparison and for loading.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

SECONDS = 60.0
# Public data beside the checkout; what runs on it says so where it is absent.
CORPORA = Path(os.environ.get("CORPORA_DIR", Path(__file__).resolve().parents[2] / "shared" / "corpora"))


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is ours beside theirs; `goal` what it is to be, `met` whether it is."""

    what: str
    ours: str
    theirs: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None


@dataclass
class Bench:
    """What a subject works with."""

    quick: bool = False
    seconds: float = SECONDS
    rows: int | None = None
    _started: float = field(default_factory=time.monotonic)

    def size(self, full: int, quick: int) -> int:
        """How many rows to measure on; `--rows` overrides both."""
        return self.rows or (quick if self.quick else full)

    @property
    def left(self) -> float:
        """Seconds until the time limit."""
        return self.seconds - (time.monotonic() - self._started)

    def tenant(self, name: str = "Bench") -> Any:
        """A new tenant, committed."""
        from tests.fixtures.estate import make_tenant

        return make_tenant(name)

    def superuser(self) -> psycopg.Connection:
        """A connection in autocommit past row-level security, to this subject's database."""
        return psycopg.connect(os.environ["BENCH_SUPERUSER_URL"], autocommit=True)

    @contextmanager
    def as_app(self, tenant_id: uuid.UUID) -> Iterator[psycopg.Connection]:
        """A connection in autocommit as the app role, with the tenant's context for as long as it is open."""
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("SELECT set_config('rls.tenant_id', %s, false)", [str(tenant_id)])
            yield connection

    def race(
        self, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int = 3
    ) -> tuple[float, float]:
        """The shortest of some runs of each, in seconds, taken in turns: whatever else the machine does meets both."""
        best = [float("inf"), float("inf")]
        for _ in range(rounds):
            for side, work in enumerate((ours, theirs)):
                best[side] = min(best[side], took(work)[0])
        return best[0], best[1]


def took(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def best(work: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """The shortest of some runs, in seconds, and what the last one gave."""
    runs = [took(work) for _ in range(rounds)]
    return min(seconds for seconds, _ in runs), runs[-1][1]


def spell(seconds: float) -> str:
    """`12.3 s`, `45 ms`, `0.21 ms`."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.01 else f"{seconds * 1e3:.2f} ms"


def at_least(goal: float, what: str, ours: float, theirs: float) -> Row:
    """A row of two times where we are to be at least `goal` times as fast as the other."""
    ratio = theirs / ours
    return Row(what, spell(ours), spell(theirs), ratio, f"≥ {goal:g} ×", ratio >= goal)


def at_most(goal: float, what: str, ours: float, theirs: float) -> Row:
    """A row of two times where ours is to take at most `goal` of the other."""
    ratio = ours / theirs
    return Row(what, spell(ours), spell(theirs), ratio, f"≤ {goal:g} ×", ratio <= goal)
