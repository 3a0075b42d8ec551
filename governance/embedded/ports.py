"""The ports of the embedded servers: chosen free once, kept in `ports.json`."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from governance.embedded import kept

LOOPBACK = "127.0.0.1"

NAMES = (
    "postgres",
    "valkey",
    "s3",
    "s3_grpc",
    "s3_master",
    "s3_master_grpc",
    "s3_volume",
    "s3_volume_grpc",
    "s3_filer",
    "s3_filer_grpc",
    "s3_admin",
    "s3_admin_grpc",
    "cloud",
)

# Below the range that Linux (32768-) and macOS (49152-) hand to outgoing connections, so that a kept port is
# still free at the next start.
FIRST, LAST = 15000, 31999


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now, on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As the servers do: a connection of the last run in TIME_WAIT does not hold the port.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(taken: set[int]) -> int:
    """A free port that is not among `taken`. OSError when none is found."""
    for _ in range(1000):
        port = FIRST + secrets.randbelow(LAST - FIRST + 1)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


def _chosen(current: dict[str, int], *, only_free: bool) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name in NAMES:
        port = current.get(name)
        usable = port is not None and port not in ports.values() and (not only_free or is_free(port))
        ports[name] = port if port is not None and usable else choose({*ports.values(), *current.values()})
    return ports


def read(var: Path) -> dict[str, int]:
    """The kept ports; chosen now where there are none yet. Never changes one that is kept."""
    path = var / "ports.json"
    values = kept.read(path)
    if set(NAMES) <= values.keys():
        return values
    with kept.locked(path):
        values = _chosen(kept.read(path), only_free=False)
        kept.write(path, values, 0o644)
    return values


def renew(var: Path) -> dict[str, int]:
    """The kept ports, those that another program holds by now chosen anew. Only with our servers down."""
    path = var / "ports.json"
    with kept.locked(path):
        before = kept.read(path)
        values = _chosen(before, only_free=True)
        if values != before:
            kept.write(path, values, 0o644)
    return values
