"""CSV with a header: `id, provider, type` and, if there are, `name, location, tags, properties, tag:<key>`.

Separated by comma, semicolon or tab, as the header is. `tags` is a JSON object or `key=value;key=value`; a
column `tag:<key>` gives one tag, an empty cell none; `properties` is a JSON object, the cloud's document.
A cell holds at most 131,072 characters, the csv module's own bound.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from typing import Any

from apps.connectors.files.lines import numbered_lines
from apps.connectors.files.ndjson import record_of_row
from apps.connectors.files.source import ByteStream
from apps.connectors.files.strict_json import decode, parse_object
from apps.connectors.records import Refusal, Rejected, ResourceRecord

_REQUIRED = ("id", "provider", "type")
_TAG_PREFIX = "tag:"
_SEPARATORS = (",", ";", "\t")
Cells = list[str]


def read_csv(stream: ByteStream) -> Iterator[ResourceRecord | Refusal]:
    """A record or a refusal for each row; `line` is the one the row begins on."""
    source = _TextLines(stream)
    header: Cells | None = None
    for line, cells in _rows(source):
        yield from source.take_refused()
        if isinstance(cells, Refusal):
            yield cells
        elif header is None:
            header = [cell.strip() for cell in cells]
            try:
                _check_header(header)
            except Rejected as rejected:
                yield Refusal(line, rejected.field, rejected.reason)
                return
        else:
            yield _record(header, cells, line)
    yield from source.take_refused()


def _check_header(header: Cells) -> None:
    names = [cell if cell.lower().startswith(_TAG_PREFIX) else cell.lower() for cell in header]
    for name in _REQUIRED:
        if name not in names:
            raise Rejected(name, f"the header has no column called {name}")
    for index, name in enumerate(names):
        if name and name in names[:index]:
            raise Rejected(name, f"the header has two columns called {name}")


class _TextLines:
    """Text lines for the csv module, which can't be given the bad ones: they are kept as refusals."""

    def __init__(self, stream: ByteStream) -> None:
        self._lines = numbered_lines(stream)
        self._refused: list[Refusal] = []
        self.begins: int | None = None  # the line of the first text given since this was last None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            item = next(self._lines)
            if isinstance(item, Refusal):
                self._refused.append(item)
                continue
            line, raw = item
            try:
                text = _text(raw)
            except Rejected as rejected:
                self._refused.append(Refusal(line, None, rejected.reason))
                continue
            self.begins = self.begins or line
            return text + "\n"

    def take_refused(self) -> Iterator[Refusal]:
        """What was refused since the last call."""
        refused, self._refused = self._refused, []
        yield from refused


def _text(raw: bytes) -> str:
    if b"\x00" in raw:
        raise Rejected(None, "NUL, which can't be stored, in the row")
    return decode(raw)


def _rows(source: _TextLines) -> Iterator[tuple[int, Cells | Refusal]]:
    """(line the row begins on, its cells). A quote that never closes ends at the bound on a cell."""
    try:
        first = next(source)
    except StopIteration:
        return
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(itertools.chain([first], source), delimiter=separator, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            begins = source.begins or 1
            yield begins, Refusal(begins, None, f"not CSV: {error}")
        else:
            yield source.begins or 1, cells
        source.begins = None


def _record(header: Cells, cells: Cells, line: int) -> ResourceRecord | Refusal:
    try:
        return record_of_row(_row(header, cells), line)
    except Rejected as rejected:
        return Refusal(line, rejected.field, rejected.reason, cells[0][:200] if cells else None)


def _row(header: Cells, cells: Cells) -> dict[str, Any]:
    """A row of the plain format, out of the cells."""
    if len(cells) != len(header):
        raise Rejected(None, f"{len(cells)} cells, where the header has {len(header)}")
    row: dict[str, Any] = {}
    tags: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        if name.lower().startswith(_TAG_PREFIX):
            if cell:
                tags[name[len(_TAG_PREFIX) :].strip()] = cell
        elif name.lower() == "tags":
            tags.update(_tags(cell))
        elif name.lower() == "properties":
            row["properties"] = _nested("properties", cell)
        elif cell:
            row[name.lower()] = cell
    return {**row, "tags": tags}


def _tags(cell: str) -> dict[str, Any]:
    if cell.lstrip().startswith("{"):
        return _nested("tags", cell)
    pairs = (part.partition("=") for part in cell.split(";") if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _nested(field: str, cell: str) -> dict[str, Any]:
    if not cell.strip():
        return {}
    try:
        return parse_object(cell.encode())
    except Rejected as rejected:
        raise Rejected(field, f"{field}: {rejected.reason}") from None
