"""The demo's cloud: a moto server on loopback that remembers, and how it is run beside the other servers."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from governance.embedded import kept
from governance.embedded.ports import LOOPBACK
from governance.embedded.process import Program

NAME = "cloud"


def program(root: Path, folder: Path, log: Path, port: int, environment: Mapping[str, str]) -> Program:
    """The server with its recording in `folder`. It sees no credential of ours."""
    kept.make_folder(folder)
    kept_names = ("PATH", "HOME", "LANG", "PYTHONPATH")
    return Program(
        name=NAME,
        command=[sys.executable, "-m", "governance.embedded.cloud_server", str(folder), str(port)],
        log=log,
        cwd=root,
        environment={name: environment[name] for name in kept_names if name in environment},
        ready=lambda pid, text: answers(port),
        # It replays what was done to it since the demo was made.
        start_limit=300.0,
        niceness=5,
    )


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/moto-api/", timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
