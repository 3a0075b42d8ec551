"""The product's own processes on the embedded default, as `make up` starts them (without the installing)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from governance.embedded import leftovers, ports, state, web

pytest.importorskip("apps.desk.urls", reason="the desk has no pages yet")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def control(tmp_path: Path, own_environment: dict[str, str]) -> Iterator[Callable[..., str]]:
    """Runs `python -m governance.embedded COMMAND` on a folder of its own and gives its output."""
    environment = {
        **own_environment,
        "GOVERNANCE_VAR": str(tmp_path),
        "WEB_PORT": str(ports.choose(set())),
        "DEMO": "0",
    }

    def run(command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "governance.embedded", command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.port = int(environment["WEB_PORT"])  # type: ignore[attr-defined]
    yield run
    run("down")


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_up_serves_the_first_page_and_brings_back_what_is_killed(
    control: Callable[..., str], tmp_path: Path
) -> None:
    port = control.port  # type: ignore[attr-defined]
    assert f"http://127.0.0.1:{port}/" in control("up")
    assert web.answers(port)
    assert "It already runs" in control("up")
    children = state.read(tmp_path)["children"]
    assert set(children) == {"postgres", "valkey", "s3", "web", "worker", "beat", "sealer"}
    for name in ("web", "worker", "beat"):
        os.kill(children[name], signal.SIGKILL)
    _wait_for(
        lambda: not set(state.read(tmp_path)["children"].values()) & {children["web"], children["worker"]}
    )
    _wait_for(lambda: web.answers(port))
    _wait_for(lambda: "ready." in (tmp_path / "log" / "worker.log").read_text())
    running = state.read(tmp_path)["children"]
    assert "Stopped." in control("down")
    assert all(leftovers.birth(pid) is None for pid in running.values())
    assert not web.answers(port)


def test_web_process_has_no_owner_address(control: Callable[..., str], tmp_path: Path) -> None:
    control("up")
    pid = state.read(tmp_path)["children"]["web"]
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert "DATABASE_OWNER_URL=" in variables
    assert any(one.startswith("DATABASE_URL=postgresql://governance_app:") for one in variables)
