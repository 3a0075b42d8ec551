"""One child process: started so that it can't outlive us, asked whether it is ready, stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from governance.embedded import kept
from governance.embedded.account import OURSELVES, Account

LOG_LIMIT = 20 * 1024 * 1024  # bytes
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Failed(RuntimeError):
    """A program ended, or was not ready in time; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Program:
    """What to run and how to tell that it runs. Times in seconds.

    `ready` gets the process id and the log's text since the start. `death_signal` is what the kernel sends
    when *we* die (Linux); `grace` is how long it gets between `stop_signal` and SIGKILL.
    """

    name: str
    command: Sequence[str]
    log: Path
    cwd: Path
    environment: Mapping[str, str]
    ready: Callable[[int, str], bool] = lambda pid, log: True
    account: Account = OURSELVES
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    start_limit: float = 60.0
    niceness: int = 0


def _bind_to_parent(parent: int, death_signal: int, niceness: int) -> Callable[[], None]:
    """What the child does before exec: ask the kernel for `death_signal` when the parent dies (prctl(2))."""

    def run() -> None:
        if niceness:
            os.nice(niceness)
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
            if os.getppid() != parent:  # it died between fork and prctl
                os._exit(1)

    return run


@dataclass
class Process:
    """A running Program. Start it from the main thread: the death signal follows the thread that forked."""

    program: Program
    started: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    _asked: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        program = self.program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            self._log_start = log.tell()
            self._popen = subprocess.Popen(
                [str(word) for word in program.command],
                cwd=program.cwd,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **program.account.popen_arguments(
                    _bind_to_parent(os.getpid(), program.death_signal, program.niceness)
                ),
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def exit_code(self) -> int | None:
        """None while it runs; negative: ended by that signal."""
        return self._popen.poll()

    def output(self) -> str:
        """What it logged since it was started, the last 64 KiB of it."""
        with self.program.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - 65536))
            return log.read().decode(errors="replace")

    def check_ready(self) -> bool:
        """Whether it serves by now; Failed when it has ended or its time to start is over."""
        if self.is_ready:
            return True
        if self.exit_code() is not None:
            raise Failed(f"{self.program.name} ended with {self.exit_code()}:\n{_tail(self.output())}")
        self.is_ready = self.program.ready(self.pid, self.output())
        if not self.is_ready and self.age > self.program.start_limit:
            raise Failed(f"{self.program.name} is not ready after {self.age:.0f} s:\n{_tail(self.output())}")
        return self.is_ready

    def check_done(self) -> bool:
        """For a step that ends by itself: whether it has ended well; Failed when it ended badly."""
        code = self.exit_code()
        if code:
            raise Failed(f"{self.program.name} ended with {code}:\n{_tail(self.output())}")
        return code == 0

    def ask_to_stop(self) -> None:
        """Send the stop signal, once; `stop` then waits."""
        if self.exit_code() is None and not self._asked:
            self._asked = True
            self._popen.send_signal(self.program.stop_signal)

    def stop(self) -> None:
        """Ask it to end, make it end after `grace`, and leave nothing of its process group."""
        if self.exit_code() is None:
            self.ask_to_stop()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(self.program.grace)
        self.kill_group()
        self._popen.wait()

    def kill_group(self) -> None:
        """SIGKILL to what is left of its process group: the workers of a master that was killed."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def rotate_logs(folder: Path) -> None:
    """Put logs over LOG_LIMIT aside, as `.log.1`; before anything writes to them."""
    kept.make_folder(folder)
    for log in folder.glob("*.log"):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))


def _tail(text: str, lines: int = 25) -> str:
    return "\n".join(text.splitlines()[-lines:])
