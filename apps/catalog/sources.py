"""Where an import reads from: a path on this machine (commands), a file staged in the object store (uploads), or a
bucket of a connected cloud account.

The object store is a room above; its AppConfig.ready() fills the port.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from apps.core.errors import InvalidInput

from .services.buckets import fetch_objects


@dataclass(frozen=True)
class Staging:
    """`stage(name, file)` gives the key under which `open(key)` reads it again, for the context's tenant."""

    stage: Callable[[str, IO[bytes]], str]
    open: Callable[[str], contextlib.AbstractContextManager[IO[bytes]]]
    discard: Callable[[str], None]


_staging: Staging | None = None


def use_staging(staging: Staging) -> None:
    global _staging
    _staging = staging


def _port() -> Staging:
    if _staging is None:
        raise RuntimeError("no staging: apps.evidence is not installed")
    return _staging


def stage(name: str, file: IO[bytes]) -> str:
    return _port().stage(name, file)


@contextlib.contextmanager
def open_source(params: Mapping[str, Any]) -> Iterator[IO[bytes] | Path]:
    """The source that a job's params name: {"path": …}, {"object_key": …} or {"address": s3://…, "account": …}.

    A folder is given as its path. What comes from a bucket is on this machine's disk for as long as it is read.
    """
    if "address" in params:
        with tempfile.TemporaryDirectory(prefix="import-") as folder:
            fetched = fetch_objects(params["address"], params.get("account"), Path(folder))
            if fetched.is_dir():
                yield fetched
                return
            with fetched.open("rb") as opened:
                yield opened
        return
    if "path" in params:
        path = Path(params["path"])
        if not path.exists():
            raise InvalidInput(f"There is no file {path} on this machine.", field="path")
        if path.is_dir():
            yield path
            return
        with path.open("rb") as opened:
            yield opened
        return
    with _port().open(params["object_key"]) as opened:
        yield opened


def discard_source(params: Mapping[str, Any]) -> None:
    if "object_key" in params:
        _port().discard(params["object_key"])
