"""The Celery worker: all queues, two processes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from governance.embedded.process import Program

QUEUES = ("actions.execute", "scans.policy", "scans.finops", "scans.security", "jobs")


def program(root: Path, log: Path, environment: Mapping[str, str]) -> Program:
    """A worker that finishes its tasks when stopped (SIGTERM), and drops them when the supervisor died."""
    return Program(
        name="worker",
        command=[
            str(Path(sys.executable).parent / "celery"),
            "--app=governance.celery",
            "worker",
            "--concurrency=2",
            f"--queues={','.join(QUEUES)}",
            "--loglevel=info",
            "--hostname=worker@%h",
            "--without-gossip",
            "--without-mingle",
        ],
        log=log,
        cwd=root,
        environment=environment,
        death_signal=signal.SIGQUIT,  # Celery's cold shutdown: the messages come back later
        grace=20.0,
    )
