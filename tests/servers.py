"""The suite's own servers: PostgreSQL, Valkey and S3 on free ports, in a temporary folder, gone with the run.

Two steps, because settings and servers are needed at different times: `reserve` decides ports and secrets and
sets the environment (before Django reads its settings), `Servers.start` starts what is not external.
The owner role may create databases here, and nowhere else.

`TEST_POSTGRES=timescale` takes the cached TimescaleDB (tests/timescale.py) in place of PostgreSQL 18.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from governance.embedded import addresses, leftovers, ports, postgres, s3, valkey
from governance.embedded.process import Process, Program
from tests import timescale

PREFIX = "governance-tests-"


@dataclass
class Servers:
    """The servers of one run below `var`; `environment` is what the tests' processes see."""

    var: Path
    external: set[str]
    environment: dict[str, str]
    processes: list[Process] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def start(self) -> None:
        """Start what is not external and wait until it serves. From the main thread only (death signal)."""
        secrets, port = addresses.secrets_of(self.var), ports.read(self.var)
        log = self.var / "log"
        if addresses.S3 not in self.external:
            self._run(s3.program(self.var / "s3", log / "s3.log", port, secrets), signal.SIGKILL)
        if addresses.VALKEY not in self.external:
            folder = self.var / "valkey"
            program = valkey.program(
                folder, log / "valkey.log", port["valkey"], secrets["valkey"], durable=False
            )
            self._run(program, signal.SIGKILL)
        if addresses.POSTGRES not in self.external:
            # SIGQUIT: at once, and still without leaving a shared memory segment behind.
            self._run(self._postgres(port["postgres"], secrets["postgres_superuser"]), signal.SIGQUIT)
        while not all([process.check_ready() for process in self.processes]):  # noqa: C419  ask each
            time.sleep(0.02)
        if addresses.POSTGRES not in self.external:
            postgres.prepare(port["postgres"], secrets, owner_creates_databases=True)
        if addresses.S3 not in self.external:
            s3.make_buckets(self.environment["EVIDENCE_S3_ENDPOINT"], secrets)

    def _postgres(self, port: int, superuser_password: str) -> Program:
        folder, log = self.var / "postgres", self.var / "log" / "postgres.log"
        if os.environ.get("TEST_POSTGRES") == "timescale":
            folder = timescale.new_folder()
            self.folders.append(folder)
            installation, settings = timescale.installation(), timescale.SETTINGS
        else:
            installation, settings = postgres.installation_for(folder), {}
        postgres.create(folder, installation, superuser_password)
        settings = {**postgres.SETTINGS, **postgres.FORGETFUL, **settings}
        return postgres.program(folder, log, port, installation, settings)

    def _run(self, program: Program, stop_signal: signal.Signals) -> None:
        self.processes.append(Process(replace(program, stop_signal=stop_signal)))

    def stop(self) -> None:
        """End them and delete their folder."""
        for process in reversed(self.processes):
            process.stop()
        self.processes.clear()
        for folder in (self.var, *self.folders):
            shutil.rmtree(folder, ignore_errors=True)


def reserve(var: Path) -> Servers:
    """Decide where the servers will be and tell os.environ. A preset address stays, and is external."""
    servers = Servers(var, addresses.external(), addresses.complete(var))
    os.environ.update(servers.environment)
    # For tests that act as the store's administrator: pytest-xdist's workers learn it from here.
    os.environ["TEST_SERVERS_VAR"] = str(var)
    return servers


def start(var: Path) -> Servers:
    """Both steps at once."""
    servers = reserve(var)
    servers.start()
    return servers


def new_folder() -> Path:
    """A folder for one run; those of runs that were killed are deleted on the way."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = old.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and leftovers.birth(int(owner)) is None:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)  # as root, PostgreSQL runs as another user
    return folder
