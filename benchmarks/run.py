"""Runs the benchmarks and prints one table: ours beside theirs, the ratio, the goal.

    python benchmarks/run.py                    all of them
    python benchmarks/run.py policy_hits --quick   one, on few rows
    python benchmarks/run.py --list

Ends with 1 where a benchmark broke or did not finish, with --strict also where a goal is missed.
How one is added stands in benchmarks/frame.py.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.frame import SECONDS, Bench, Row  # noqa: E402

SUBJECTS = ROOT / "benchmarks" / "subjects"
TEMPLATE = "bench_template"
BUFFERS = "1GB"
HEADINGS = ("what", "ours", "theirs", "ratio", "goal", "met")


def subjects() -> dict[str, tuple[str, float]]:
    """Name → (title, seconds), read from the sources: importing one may need Django."""
    found = {}
    for path in sorted(SUBJECTS.glob("[!_]*.py")):
        tree = ast.parse(path.read_text())
        seconds = [
            float(node.value.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and [ast.unparse(target) for target in node.targets] == ["SECONDS"]
            and isinstance(node.value, ast.Constant)
        ]
        title = (ast.get_docstring(tree) or path.stem).splitlines()[0]
        found[path.stem] = (title, seconds[0] if seconds else SECONDS)
    return found


def machine(server: str) -> str:
    """What it was measured on."""
    try:
        model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        model = None
    processor = model.group(1).strip() if model else platform.processor() or platform.machine()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{processor}, {os.cpu_count()} cores (load {load} at the start), {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, PostgreSQL {server}, {BUFFERS} of buffers,\n"
        f"one connection, no parallel workers, no fsync"
    )


# --- the servers -----------------------------------------------------------------------------------------------------


class Place:
    """The suite's servers, and a migrated database from which each subject's is copied."""

    def __init__(self) -> None:
        from governance.embedded import addresses, ports, postgres
        from tests import servers

        # A quarter of this machine's memory would be usual; the default of 128 MB holds a tenth of a million resources.
        postgres.FORGETFUL["shared_buffers"] = BUFFERS
        self._servers = servers.reserve(servers.new_folder())
        self._servers.start()
        secret, port = addresses.secrets_of(self._servers.var), ports.read(self._servers.var)
        self._superuser = f"postgresql://postgres:{secret['postgres_superuser']}@127.0.0.1:{port['postgres']}"
        self._environment = {
            **os.environ,
            **self._servers.environment,
            "DJANGO_SETTINGS_MODULE": "governance.settings.test",
            "VAR_DIR": str(self._servers.var),
        }
        self._sql(f"CREATE DATABASE {TEMPLATE} OWNER governance_owner")
        migrate = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
        subprocess.run(migrate, check=True, env=self.environment(TEMPLATE), cwd=ROOT)

    @property
    def server(self) -> str:
        return str(self._sql("SHOW server_version", read=True))

    def environment(self, database: str) -> dict[str, str]:
        """What a process needs to work with this database."""
        values = dict(self._environment)
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SEALER_URL"):
            values[name] = values[name].rsplit("/", 1)[0] + f"/{database}"
        # JIT and extra workers gave nothing (see the guides) and one core is what is claimed.
        values["PGOPTIONS"] = "-c max_parallel_workers_per_gather=0"
        return values | {"BENCH_SUPERUSER_URL": f"{self._superuser}/{database}"}

    def database(self, name: str) -> str:
        self._sql(f"CREATE DATABASE bench_{name} TEMPLATE {TEMPLATE} OWNER governance_owner")
        return f"bench_{name}"

    def drop(self, database: str) -> None:
        # With force: a subject that was ended may still have a statement running.
        self._sql(f"DROP DATABASE {database} WITH (FORCE)")

    def _sql(self, statement: str, *, read: bool = False) -> Any:
        import psycopg

        with psycopg.connect(f"{self._superuser}/postgres", autocommit=True) as connection:
            cursor = connection.execute(statement)
            row = cursor.fetchone() if read else None
        return row[0] if row else None

    def stop(self) -> None:
        self._servers.stop()


# --- one subject -----------------------------------------------------------------------------------------------------


def inside(name: str, bench: Bench) -> None:
    """In the subject's own process: a line of JSON for each row."""
    import importlib

    import django

    django.setup()
    subject = importlib.import_module(f"benchmarks.subjects.{name}")
    for row in subject.run(bench):
        print(json.dumps(asdict(row)), flush=True)


def measured(name: str, limit: float, given: argparse.Namespace, place: Place) -> Iterator[Row]:
    """The rows of a subject, from a process that is ended at its time limit."""
    database = place.database(name)
    command = [sys.executable, __file__, "--inside", name, "--seconds", str(limit)]
    command += ["--quick"] if given.quick else []
    command += ["--rows", str(given.rows)] if given.rows else []
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=place.environment(database),
        cwd=ROOT,
    )
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limit, end)
    timer.start()
    complaints: list[str] = []
    reader = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        for line in process.stdout or ():
            yield Row(**json.loads(line))
        code = process.wait()
        reader.join(1)
        if late.is_set():
            yield Row(name, f"not finished in {limit:.0f} s", met=False)
        elif code:
            print("".join(complaints[-30:]), file=sys.stderr)
            yield Row(name, f"broke: {(complaints or ['?'])[-1].strip()[:120]}", met=False)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        place.drop(database)


# --- the table -------------------------------------------------------------------------------------------------------


def cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.3g} ×"
    return (row.what, row.ours, row.theirs, ratio, row.goal, {True: "yes", False: "NO", None: ""}[row.met])


def show(row: Row | None = None) -> None:
    """A line of the table as soon as it is known, hence fixed widths."""
    what, *rest = HEADINGS if row is None else cells(row)
    print(
        "  ".join(
            [
                f"{what:<72}",
                *(f"{cell:>{width}}" for cell, width in zip(rest, (14, 14, 10, 9, 4), strict=True)),
            ]
        )
    )
    sys.stdout.flush()


def choose(names: list[str]) -> Mapping[str, tuple[str, float]]:
    known = subjects()
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"There is no benchmark {unknown[0]!r}; known: {', '.join(known)}.")
    return {name: known[name] for name in names or known}


def run_all(given: argparse.Namespace) -> int:
    chosen = choose(given.names)
    # Every limit fits: the last subject has its time however long the others take.
    total = given.total or sum(seconds for _, seconds in chosen.values())
    place = Place()
    # From here: starting the servers and migrating is no subject's time.
    deadline = time.monotonic() + total
    rows: list[tuple[str, Row]] = []
    try:
        named = machine(place.server)
        if not given.json:
            print(named)
        for name, (title, seconds) in chosen.items():
            left = deadline - time.monotonic()
            if not given.json:
                print(f"\n{name}: {title}")
                show()
            some = (
                measured(name, min(seconds, left), given, place)
                if left > 5
                else [Row(name, "no time left", met=False)]
            )
            for row in some:
                rows.append((name, row))
                if not given.json:
                    show(row)
    finally:
        place.stop()
    if given.json:
        print(
            json.dumps(
                {"machine": named, "rows": [{"benchmark": n, **asdict(r)} for n, r in rows]},
                ensure_ascii=False,
            )
        )
    broken = any(row.met is False and not row.goal for _, row in rows)
    return int(broken or (given.strict and any(row.met is False for _, row in rows)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (all)")
    parser.add_argument("--list", action="store_true", help="the benchmarks there are")
    parser.add_argument("--quick", action="store_true", help="on few rows: for a look, not for figures")
    parser.add_argument("--rows", type=int, help="rows to measure on, for those that have a choice")
    parser.add_argument("--total", type=float, help="seconds for all of them (the sum of their limits)")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    parser.add_argument("--strict", action="store_true", help="end with 1 where a goal is missed")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.list:
        for name, (title, seconds) in subjects().items():
            print(f"{name:<20} ≤ {seconds:.0f} s  {title}")
        print(f"{'all of them':<20} ≤ {sum(seconds for _, seconds in subjects().values()):.0f} s")
        return 0
    if given.inside:
        inside(given.inside, Bench(quick=given.quick, seconds=given.seconds, rows=given.rows))
        return 0
    return run_all(given)


if __name__ == "__main__":
    sys.exit(main())
