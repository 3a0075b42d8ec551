"""Children of a supervisor that was killed: written down while they run, ended by the next start.

On Linux the kernel ends them with their parent (PR_SET_PDEATHSIG); this is for slow ones and other systems.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from governance.embedded import kept


def birth(pid: int) -> str | None:
    """When the process started, as a text to compare; None when there is none (or only its zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
        shown = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip() or None
    return None if fields[0] == "Z" else fields[19]  # proc_pid_stat(5): state is field 3, starttime field 22


def command_of(pid: int) -> str:
    """The command line of a process, or '' when there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()


def write_down(path: Path, pids: Iterable[int]) -> None:
    """Keep which processes are ours, each with its birth: a number alone may be somebody else's by then."""
    born = {str(pid): birth(pid) for pid in pids}
    kept.write(path, {pid: text for pid, text in born.items() if text}, 0o644)


def end(path: Path, seconds: float = 15.0) -> list[int]:
    """End what is still alive of the processes written down; returns their ids. Each leads its own group."""
    try:
        alive = [int(pid) for pid, born in kept.read(path).items() if birth(int(pid)) == born]
    except ValueError:  # half a file of a crashed machine: nothing to go by
        return []
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM there would wait for its clients.
    for pid in alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT if "postgres" in command_of(pid) else signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(birth(pid) for pid in alive):
        time.sleep(0.05)
    for pid in alive:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    path.unlink(missing_ok=True)
    return alive
