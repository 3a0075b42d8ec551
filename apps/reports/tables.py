"""Files of a bundle as they are written: CSV, JSON lines and text, hashed on the way, in flat memory."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .sections.section import utc

CSV, JSON_LINES, JSON, TEXT, PYTHON, HTML, PDF = (
    "text/csv",
    "application/jsonl",
    "application/json",
    "text/plain",
    "text/x-python",
    "text/html",
    "application/pdf",
)
# A spreadsheet takes a cell that begins so for a formula. The apostrophe is in the list so that it can be
# taken off again without doubt: verify.py does.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True)
class BundleFile:
    """A finished file: its name in the bundle, and what the manifest says of it."""

    path: str
    sha256: str
    size: int
    media_type: str

    def as_manifest(self) -> dict[str, Any]:
        return {"path": self.path, "sha256": self.sha256, "size": self.size, "media_type": self.media_type}


class FileWriter:
    """Writes `path` below `folder`, hashing; after `with` its `.file` tells what was written."""

    def __init__(self, folder: Path, path: str, media_type: str) -> None:
        self._path, self._media_type = path, media_type
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self._out = target.open("wb")
        self._digest, self._size = hashlib.sha256(), 0

    def write(self, text: str) -> None:
        raw = text.encode()
        self._digest.update(raw)
        self._size += len(raw)
        self._out.write(raw)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()

    @property
    def file(self) -> BundleFile:
        return BundleFile(self._path, self._digest.hexdigest(), self._size, self._media_type)


class CsvWriter(FileWriter):
    """RFC 4180, UTF-8, a header; cells that a spreadsheet would run are quoted by an apostrophe."""

    def __init__(self, folder: Path, path: str, columns: Sequence[str]) -> None:
        super().__init__(folder, path, CSV)
        self._columns, self._line = columns, io.StringIO(newline="")
        self._csv = csv.writer(self._line)
        self._put(columns)

    def row(self, row: Mapping[str, Any]) -> None:
        self._put([cell(row[column]) for column in self._columns])

    def _put(self, cells: Sequence[str]) -> None:
        self._csv.writerow(cells)
        self.write(self._line.getvalue())
        self._line.seek(0)
        self._line.truncate()


def cell(value: Any) -> str:
    """A value as a CSV cell: times as ISO 8601 in UTC, nothing for None, formulas quoted."""
    if value is None:
        return ""
    text = utc(value) if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON with sorted keys, so that the same value is the same bytes."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=separators, indent=indent, default=_plain
    )


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a bundle")
