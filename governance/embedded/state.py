"""What the supervisor tells others about itself: a lock that it holds, and a state file."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Any

from governance.embedded import kept

STARTING, READY, STOPPING, FAILED = "starting", "ready", "stopping", "failed"


class AlreadyRuns(RuntimeError):
    """Another supervisor holds this folder."""


def _lock_file(var: Path) -> Path:
    return var / "run" / "lock"


def state_file(var: Path) -> Path:
    """{"phase", "address", "detail", "children": {name: pid}, "seconds": {what: seconds}}."""
    return var / "run" / "state.json"


def take(var: Path, patience: float = 2.0) -> IO[str]:
    """Hold the lock for as long as the file is open, and write our process id into it.

    AlreadyRuns after `patience` seconds (someone who only looks whether it is held holds it for an instant).
    """
    kept.make_folder(_lock_file(var).parent)
    lock = _lock_file(var).open("a+")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                raise AlreadyRuns(f"a supervisor already runs on {var}") from None
            time.sleep(0.05)
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def running(var: Path) -> int | None:
    """The process id of the supervisor that runs on this folder, or None."""
    try:
        with _lock_file(var).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = lock.read().strip()
                return int(text) if text.isdigit() else 0
    except FileNotFoundError:
        pass
    return None


def read(var: Path) -> dict[str, Any]:
    """The state as last written, {} where there is none."""
    return kept.read(state_file(var))


def write(var: Path, **values: Any) -> None:
    """Replace the state."""
    kept.write(state_file(var), {"pid": os.getpid(), **values}, 0o644)
