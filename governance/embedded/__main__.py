"""`python -m governance.embedded up|down|status|logs|reset`: what the Makefile's targets call."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from governance.embedded import addresses, kept, ports, state, supervisor
from governance.embedded.applications import ROOT, manage

ENDS_WITHIN = 120.0  # seconds: every process's grace, added up
KEPT_BY_RESET = ("timescale",)  # the tests' cached build, no data of anybody's


def _start_detached(var: Path) -> subprocess.Popen[bytes]:
    """The supervisor in a session of its own, so that it outlives this command and its terminal."""
    kept.make_folder(var / "log")
    state.state_file(var).unlink(missing_ok=True)
    with (var / "log" / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", supervisor.__name__, str(var)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _follow(var: Path, child: subprocess.Popen[bytes] | None) -> dict[str, Any]:
    """The supervisor's state once it is ready or has failed; prints each step as it is done."""
    shown: set[str] = set()
    while True:
        pid = state.running(var)
        alive = pid is not None
        now = state.read(var)
        if alive and now.get("pid") != pid:  # what a killed one has left
            now = {}
        for name, seconds in now.get("seconds", {}).items():
            if name not in shown and name != "all":
                shown.add(name)
                print(f"  {name:9} {seconds:5.1f} s", flush=True)
        if now.get("phase") == state.FAILED or (alive and now.get("phase") == state.READY):
            return now
        if not alive and (child is None or child.poll() is not None):
            return {"phase": state.FAILED, "detail": now.get("detail") or "the supervisor ended"}
        time.sleep(0.05)


def _print_sign_ins(var: Path, environ: Mapping[str, str]) -> None:
    """What `manage.py demo signins` says; nothing where there is no demo."""
    if environ.get("DEMO") == "0":
        return
    command = manage("signins", var / "log" / "demo.log", {}, "demo", "signins").command
    try:
        said = subprocess.run(
            command,
            cwd=ROOT,
            env=addresses.complete(var, environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return
    if said.returncode == 0 and said.stdout.strip():
        print(said.stdout.rstrip())


def up(var: Path) -> int:
    """Start everything in the background; 0 when the first page answers, or when it answered already."""
    began = time.monotonic()
    if state.running(var) is not None:
        now = _follow(var, None)
        if now["phase"] != state.READY:
            print(now["detail"], file=sys.stderr)
            return 1
        print(f"It already runs: {now['address']}  (make down stops it)")
        return 0
    port = addresses.web_port()
    addresses.external()
    if not ports.is_free(port):
        print(
            f"Port {port} on {ports.LOOPBACK} is held by another program: stop that, or choose another port "
            f"with WEB_PORT=… make up",
            file=sys.stderr,
        )
        return 1
    now = _follow(var, _start_detached(var))
    if now["phase"] != state.READY:
        print(f"{now['detail']}\nMore in {var / 'log'}", file=sys.stderr)
        return 1
    print(f"Ready after {time.monotonic() - began:.1f} s: {now['address']}")
    _print_sign_ins(var, os.environ)
    print(f"Logs: make logs (in {var / 'log'}).  Stop: make down.")
    return 0


def down(var: Path) -> int:
    """Stop everything in reverse order; 0 also when nothing ran."""
    pid = state.running(var)
    if not pid:
        print("Nothing runs.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN
    while state.running(var) is not None:
        if time.monotonic() > deadline:
            print(f"The supervisor (process {pid}) does not end: {var / 'log'}", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print("Stopped.")
    return 0


def status(var: Path) -> int:
    """What runs, with process ids; 0 while ready, 3 otherwise (the code of an init script's `status`)."""
    pid, now = state.running(var), state.read(var)
    if pid is None:
        print("Not running." + (f" The last start failed: {now['detail']}" if now.get("detail") else ""))
        return 3
    print(f"{now.get('phase')}: {now.get('address')}  supervisor {pid}")
    for name, child in now.get("children", {}).items():
        print(f"  {name:9} {child}")
    for name in now.get("external", []):
        print(f"  {name:9} external")
    return 0 if now.get("phase") == state.READY else 3


def logs(var: Path) -> int:
    """Follow every log until interrupted."""
    files = sorted(str(path) for path in (var / "log").glob("*.log"))
    if not files:
        print("No logs yet.")
        return 0
    return subprocess.call(["tail", "-n", "40", "-F", *files])


def reset(var: Path) -> int:
    """Stop everything and delete `var` (all data, secrets too). Asks first, unless FORCE=1."""
    if os.environ.get("FORCE") != "1":
        if not sys.stdin.isatty():
            print("make reset deletes all data; without a terminal to ask it wants FORCE=1", file=sys.stderr)
            return 1
        if input(f"Delete {var} with all data of the embedded default? [y/N] ").strip().lower() != "y":
            print("Nothing deleted.")
            return 1
    code = down(var)
    if code or not var.exists():
        return code
    for path in var.iterdir():
        if path.name in KEPT_BY_RESET:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    print(f"Deleted what was in {var}.")
    return 0


COMMANDS: dict[str, Callable[[Path], int]] = {
    "up": up,
    "down": down,
    "status": status,
    "logs": logs,
    "reset": reset,
}


def main(words: list[str]) -> int:
    """Run one command; 2 when it is none of ours."""
    if len(words) != 1 or words[0] not in COMMANDS:
        print(f"usage: python -m governance.embedded {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return COMMANDS[words[0]](addresses.var_folder(ROOT))
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
