"""A whole installation of its own, durable as in production, of which any part can be killed and started again.

The suite's own servers forget what a killed PostgreSQL had not written, and other tests stand on them; so the
tests of faults bring their own. Leases are short here, so that a takeover takes seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from governance.embedded import addresses, beat, ports, postgres, s3, valkey, worker
from governance.embedded.process import Failed, Process, Program

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 4
SERVERS = ("s3", "valkey", "postgres")
# What a developer's shell or the suite itself has set for other servers.
_FOREIGN = ("DATABASE_", "REDIS_", "EVIDENCE_", "AWS_", "DJANGO_")


@dataclass
class Stack:
    """Servers, worker and beat below `var`; `environment` is what all of them and every command see."""

    var: Path
    environment: dict[str, str]
    programs: dict[str, Program] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)

    @classmethod
    def make(cls, settings: str = "governance.settings.test", folders: Sequence[str] = ()) -> Stack:
        """Servers up and migrated, nothing of the product running yet. From the main thread only.

        `folders` are variables that name folders below `var`, for what a test brings along.
        """
        var = Path(tempfile.mkdtemp(prefix="governance-faults-"))
        var.chmod(0o755)  # as root, PostgreSQL runs as another user
        outside = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        outside |= {"GOVERNANCE_VAR": str(var), "DJANGO_SETTINGS_MODULE": settings}
        outside |= {name: str(var / name.lower()) for name in folders}
        outside |= {"JOB_LEASE_SECONDS": str(LEASE_SECONDS)}
        stack = cls(var, addresses.complete(var, outside))
        stack._describe()
        try:
            for name in SERVERS:
                stack.start(name)
            secrets, port = addresses.secrets_of(var), ports.read(var)
            postgres.prepare(port["postgres"], secrets)
            s3.make_buckets(stack.environment["EVIDENCE_S3_ENDPOINT"], secrets)
            stack.manage("migrate", "--no-input")
        except BaseException:
            stack.stop()
            raise
        return stack

    def _describe(self) -> None:
        secrets, port, log = addresses.secrets_of(self.var), ports.read(self.var), self.var / "log"
        folder = self.var / "postgres"
        installation = postgres.installation_for(folder)
        postgres.create(folder, installation, secrets["postgres_superuser"])
        app = addresses.without_owner(self.environment)
        known = [
            s3.program(self.var / "s3", log / "s3.log", port, secrets),
            valkey.program(self.var / "valkey", log / "valkey.log", port["valkey"], secrets["valkey"]),
            postgres.program(folder, log / "postgres.log", port["postgres"], installation),
            _worker("worker", log / "worker.log", app),
            _worker("second-worker", log / "second-worker.log", app),
            beat.program(ROOT, log / "beat.log", self.var / "beat", app),
        ]
        names = ("s3", "valkey", "postgres", "worker", "second-worker", "beat")
        self.programs = dict(zip(names, known, strict=True))

    def start(self, *names: str) -> None:
        """Start them at once and wait until each serves."""
        for name in names:
            assert name not in self.processes
            if name == "postgres":
                postgres.clear_stale(self.var / "postgres" / "data")
            self.processes[name] = Process(self.programs[name])
        self.wait_for(lambda: all([self.processes[name].check_ready() for name in names]))  # noqa: C419

    def kill(self, name: str) -> None:
        """`kill -9`, of the main process and then of what it leaves behind in its group."""
        process = self.processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.stop()

    def start_again(self, name: str, seconds: float = 30.0) -> None:
        """As a supervisor does: again until it serves. Backends outlive a killed postmaster for a moment, and
        PostgreSQL refuses to start beside them."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.start(name)
            except Failed:
                self.processes.pop(name).stop()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.3)

    def halt(self, *names: str) -> None:
        """An orderly stop, where it runs."""
        for name in names:
            if name in self.processes:
                self.processes.pop(name).stop()

    def stop(self) -> None:
        """Stop everything and delete the folder."""
        for process in reversed(self.processes.values()):
            process.stop()
        self.processes.clear()
        shutil.rmtree(self.var, ignore_errors=True)

    def manage(self, *words: str) -> dict[str, Any]:
        """Run a command of manage.py; what it printed as JSON, {} where that is none."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        last = (done.stdout.strip().splitlines() or [""])[-1]
        return dict(json.loads(last)) if last.startswith("{") else {}

    def query(self, sql: str, values: Sequence[Any] | None = ()) -> list[tuple[Any, ...]]:
        """As the owner role, which sees every tenant."""
        with psycopg.connect(self.environment["DATABASE_OWNER_URL"]) as connection:
            answer = connection.execute(sql.encode(), values)
            while answer.nextset():
                pass
            return answer.fetchall()

    def answers(self) -> bool:
        """Whether PostgreSQL takes a connection."""
        try:
            self.query("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Until it holds; otherwise fail with the ends of all logs."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.01)

    def said(self) -> str:
        """The end of every log."""
        logs = sorted((self.var / "log").glob("*.log"))
        return "\n".join(f"=== {log.stem}\n{log.read_text(errors='replace')[-4000:]}" for log in logs)


def _worker(name: str, log: Path, environment: Mapping[str, str]) -> Program:
    """The product's worker with one process, ready when Celery says so."""
    usual = worker.program(ROOT, log, environment)
    changed = {"--concurrency=2": "--concurrency=1", "--hostname=worker@%h": f"--hostname={name}@%h"}
    return replace(
        usual,
        name=name,
        command=[changed.get(word, word) for word in usual.command],
        ready=lambda pid, text: " ready." in text,
    )
