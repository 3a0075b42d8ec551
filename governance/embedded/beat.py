"""Celery beat: sends the periodic tasks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from governance.embedded import kept
from governance.embedded.process import Program


def program(root: Path, log: Path, folder: Path, environment: Mapping[str, str]) -> Program:
    """The one beat process; its schedule file lies in `folder`."""
    kept.make_folder(folder)
    return Program(
        name="beat",
        command=[
            str(Path(sys.executable).parent / "celery"),
            "--app=governance.celery",
            "beat",
            "--loglevel=info",
            f"--schedule={folder / 'schedule'}",
            "--pidfile=",
        ],
        log=log,
        cwd=root,
        environment=environment,
    )
