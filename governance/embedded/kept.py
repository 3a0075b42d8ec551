"""Small JSON files that are made once and then kept: secrets and ports."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock beside `path`; other processes wait for it."""
    make_folder(path.parent)
    with (path.parent / f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_folder(folder: Path) -> None:
    """Make `folder`, enterable by all whatever the umask: as root, PostgreSQL runs as another user."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def read(path: Path) -> dict[str, Any]:
    """The kept values, {} where there is no file yet. ValueError names a file that is not a JSON object."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: line {error.lineno}: {error.msg}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: a JSON object is expected")
    return values


def write(path: Path, values: dict[str, Any], mode: int = 0o600) -> None:
    """Replace the file in one step: a reader sees the old text or the new, never half."""
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(values, indent=1, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def keep(path: Path, makers: dict[str, Callable[[], Any]], mode: int = 0o600) -> dict[str, Any]:
    """The kept values of all `makers`; those that are missing are made and written first."""
    values = read(path)
    if makers.keys() <= values.keys():
        return values
    with locked(path):
        values = read(path)
        missing = makers.keys() - values.keys()
        if missing:
            values |= {name: makers[name]() for name in sorted(missing)}
            write(path, values, mode)
    return values
