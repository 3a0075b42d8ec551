"""The files of a policy import: one file, a folder, a ZIP. Links and `..` are refused, sizes are bounded."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from ..languages import PolicyFileRefusal

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_FILES = 20_000
MAX_TOTAL_BYTES = 512 * 1024 * 1024
SUFFIXES = (".json", ".jsonl", ".ndjson", ".yml", ".yaml")


@dataclass(frozen=True)
class PolicyFile:
    name: str
    raw: bytes


def policy_files(source: IO[bytes] | Path, name: str) -> Iterator[PolicyFile | PolicyFileRefusal]:
    """The files to read, in a stable order; each that is passed over, with its reason."""
    if isinstance(source, Path) and source.is_dir():
        yield from _folder(source)
        return
    raw = source.read_bytes() if isinstance(source, Path) else source.read(MAX_TOTAL_BYTES + 1)
    if raw[:4] == b"PK\x03\x04":
        yield from _archive(raw)
    elif len(raw) > MAX_FILE_BYTES:
        yield PolicyFileRefusal(name, f"larger than {MAX_FILE_BYTES // 2**20} MiB")
    else:
        yield PolicyFile(name, raw)


def _folder(folder: Path) -> Iterator[PolicyFile | PolicyFileRefusal]:
    found = 0
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        name = str(inside)
        if ".git" in inside.parts or path.suffix.lower() not in SUFFIXES:
            continue
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            yield PolicyFileRefusal(name, "a link; links are not followed")
        elif path.is_file():
            found += 1
            if found > MAX_FILES:
                yield PolicyFileRefusal(name, f"more than {MAX_FILES} files")
                return
            yield from _bounded(name, path.stat().st_size, path.read_bytes)


def _archive(raw: bytes) -> Iterator[PolicyFile | PolicyFileRefusal]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except zipfile.BadZipFile as error:
        yield PolicyFileRefusal("", f"the ZIP is damaged: {error}")
        return
    total = 0
    for info in sorted(archive.infolist()[:MAX_FILES], key=lambda i: i.filename):
        path = PurePosixPath(info.filename)
        if info.is_dir() or path.suffix.lower() not in SUFFIXES:
            continue
        is_link = (info.external_attr >> 16) & 0o170000 == 0o120000
        if is_link or path.is_absolute() or ".." in path.parts:
            yield PolicyFileRefusal(info.filename, "a link or a path that leads out of the archive")
            continue
        total += info.file_size
        if total > MAX_TOTAL_BYTES:
            yield PolicyFileRefusal(info.filename, f"more than {MAX_TOTAL_BYTES // 2**20} MiB unpacked")
            return
        try:
            yield from _bounded(info.filename, info.file_size, partial(archive.read, info))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            yield PolicyFileRefusal(info.filename, f"can't be unpacked: {error}")


def _bounded(name: str, size: int, read: Callable[[], bytes]) -> Iterator[PolicyFile | PolicyFileRefusal]:
    if size > MAX_FILE_BYTES:
        yield PolicyFileRefusal(name, f"larger than {MAX_FILE_BYTES // 2**20} MiB")
    else:
        yield PolicyFile(name, read())
