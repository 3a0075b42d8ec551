"""The web server: gunicorn, two processes of four threads."""

from __future__ import annotations

import http.client
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from governance.embedded.ports import LOOPBACK
from governance.embedded.process import Program


def program(root: Path, log: Path, port: int, environment: Mapping[str, str]) -> Program:
    """gunicorn on loopback `port`; ready when the first page answers without an error."""
    shared_memory = Path("/dev/shm")  # noqa: S108  gunicorn's heartbeat files: not on a disk that may stall
    options = {
        "bind": f"{LOOPBACK}:{port}",
        "worker-class": "gthread",
        "workers": 2,
        "threads": 4,
        "graceful-timeout": 8,
        "access-logfile": "-",
    }
    if shared_memory.is_dir():
        options["worker-tmp-dir"] = shared_memory
    return Program(
        name="web",
        command=[
            str(Path(sys.executable).parent / "gunicorn"),
            *(f"--{name}={value}" for name, value in options.items()),
            "--no-control-socket",
            "governance.wsgi:application",
        ],
        log=log,
        cwd=root,
        environment=environment,
        ready=lambda pid, text: answers(port),
        death_signal=signal.SIGTERM,
        grace=10.0,
    )


def answers(port: int, path: str = "/") -> bool:
    """Whether the page is served; a redirect to the sign-in page counts, an error does not."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=3)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < http.client.BAD_REQUEST
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
