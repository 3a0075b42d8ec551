"""A PostgreSQL of the operating system's, as somebody else runs it, for the tests that need one of those."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from governance.embedded import addresses, kept, ports
from governance.embedded.account import unprivileged
from governance.embedded.postgres import FORGETFUL, Installation, program
from governance.embedded.process import Process
from tests.chaos.stack import ROOT

ROLES_SQL = ROOT / "deploy" / "postgres" / "roles.sql"
PASSWORD = "p@ss:w/ord'\"%"
_FOREIGN = ("DATABASE_", "REDIS_", "EVIDENCE_", "AWS_", "DJANGO_")


def programs() -> Path | None:
    """The folder of the newest installed server's programs; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    return found[-1].parent if found and shutil.which("psql") else None


@dataclass
class Cluster:
    """A running cluster with a superuser `postgres`, below a folder of its own."""

    folder: Path
    port: int
    process: Process

    @classmethod
    def start(cls, bin_folder: Path) -> Cluster:
        folder = Path(tempfile.mkdtemp(prefix="governance-external-"))
        folder.chmod(0o755)
        kept.make_folder(folder / "cluster")
        account = unprivileged([bin_folder, folder])
        data, secret = folder / "cluster" / "data", folder / "password"
        data.mkdir(mode=0o700)
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        account.own(data)
        words = ["-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}"]
        subprocess.run(
            [bin_folder / "initdb", *words, "-E", "UTF8", "--locale=C.UTF-8"],
            check=True,
            capture_output=True,
            cwd="/",
            env={"PATH": os.defpath},
            **account.popen_arguments(),
        )
        port = ports.choose(set())
        server = program(
            folder / "cluster", folder / "postgres.log", port, Installation(bin_folder, account), FORGETFUL
        )
        made = cls(folder, port, Process(server))
        while not made.process.check_ready():
            pass
        return made

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def superuser(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=ports.LOOPBACK,
            port=self.port,
            user="postgres",
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def url(self, role: str, database: str) -> str:
        user, secret = quote(role, safe=""), quote(PASSWORD, safe="")
        return f"postgresql://{user}:{secret}@{ports.LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def make_roles(self, owner: str, app: str, database: str) -> dict[str, str]:
        """As docs/deployment.md says; the environment of a process of ours that uses them."""
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_NAME": database,
            "DATABASE_OWNER": owner,
            "DATABASE_OWNER_PASSWORD": PASSWORD,
            "DATABASE_APP": app,
            "DATABASE_APP_PASSWORD": PASSWORD,
            "PGHOST": ports.LOOPBACK,
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGPASSWORD": PASSWORD,
        }
        command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(ROLES_SQL), "postgres"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return self.environment(owner, app, database)

    def environment(self, owner: str, app: str, database: str) -> dict[str, str]:
        """A shell in which both addresses are set, and nothing else of ours."""
        shell = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        addressed = {
            "DATABASE_URL": self.url(app, database),
            "DATABASE_OWNER_URL": self.url(owner, database),
            "GOVERNANCE_VAR": str(self.folder / "var"),
        }
        return addresses.complete(self.folder / "var", shell | addressed)

    def dump(self, database: str) -> str:
        """The schema with its grants and policies, as text."""
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD}
        words = ["-h", ports.LOOPBACK, "-p", str(self.port), "-U", "postgres", "--schema-only", database]
        done = subprocess.run(
            ["pg_dump", *words], env=environment, check=True, capture_output=True, text=True
        )
        # Each dump has a key of its own in these two lines.
        return "\n".join(line for line in done.stdout.splitlines() if "restrict " not in line)


def manage(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """manage.py in a shell with `environment`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
