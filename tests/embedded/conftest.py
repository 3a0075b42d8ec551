import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from governance.embedded import leftovers, ports, state

OURS = ("DATABASE_", "REDIS_", "EVIDENCE_", "AWS_", "DJANGO_")


@dataclass
class Desk:
    """A supervisor that runs in a process of its own, on a folder of its own."""

    var: Path
    environ: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def launch(self, **extra: str) -> subprocess.Popen[bytes]:
        log = (self.var / "trial.log").open("ab")
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("trial_desk.py")), str(self.var)],
            env={**self.environ, **extra},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def start(self, **extra: str) -> "Desk":
        self.process = self.launch(**extra)
        self.wait_for(lambda: self.phase() == state.READY and self._is_its_state())
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.said()
            self.process = None

    def phase(self) -> str:
        return str(state.read(self.var).get("phase", ""))

    def _is_its_state(self) -> bool:
        """Not the one that a killed supervisor has left."""
        return self.process is not None and state.read(self.var).get("pid") == self.process.pid

    def child(self, name: str) -> int:
        return int(state.read(self.var)["children"][name])

    def children(self) -> dict[str, int]:
        return dict(state.read(self.var)["children"])

    def said(self) -> str:
        return (self.var / "trial.log").read_text()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process is None or self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.03)


@pytest.fixture
def own_environment() -> dict[str, str]:
    """Ours without the suite's servers: what a developer's shell has."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


@pytest.fixture
def desk(tmp_path: Path, own_environment: dict[str, str]) -> Iterator[Desk]:
    """Not started yet. As root its folder is one that no other user may enter (pytest makes it 0700)."""
    made = Desk(tmp_path, {**own_environment, "WEB_PORT": str(ports.choose(set()))})
    yield made
    left = leftovers.end(made.var / "run" / "children.json") if made.process is None else None
    if made.process is not None and made.process.poll() is None:
        made.stop()
    assert not left, f"still ran: {left}"
