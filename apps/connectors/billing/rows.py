"""Rows of cells out of a file, whatever its container: CSV, Parquet, or JSON lines; plain or gzip."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from apps.connectors.bounds import MAX_ROW_BYTES
from apps.connectors.files.source import BrokenSource, ByteStream
from apps.connectors.records import Refusal, Rejected

_SEPARATORS = (",", ";", "\t", "|")
Cells = list[str]


class CutShort(Exception):
    """The file breaks off: what follows is unknown, so the rows before it are no whole delivery."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


@dataclass(frozen=True, slots=True)
class Table:
    """A header and the rows under it: (line, cells), or a Refusal. `rows` may raise CutShort."""

    header: Cells
    rows: Iterator[tuple[int, Cells] | Refusal]


def csv_table(stream: ByteStream) -> Table:
    """A CSV with a header. Raises Rejected where there is none."""
    lines = _Lines(stream)
    try:
        first = next(lines)
    except StopIteration:
        raise Rejected(None, "the file is empty") from None
    separator = max(_SEPARATORS, key=first.count)
    header = [cell.strip() for cell in next(csv.reader([first], delimiter=separator), [])]
    return Table(header, _csv_rows(lines, separator, len(header)))


def _csv_rows(lines: _Lines, separator: str, width: int) -> Iterator[tuple[int, Cells] | Refusal]:
    # One line of the header was taken already: the reader's own count is behind by it.
    reader = csv.reader(lines, delimiter=separator, strict=True)
    begins = 2
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Refusal(begins, None, f"not CSV: {error}")
        except Rejected as rejected:
            yield Refusal(lines.number, None, rejected.reason)
            reader = csv.reader(lines, delimiter=separator, strict=True)
        else:
            if len(cells) == width:
                yield begins, cells
            elif cells:
                yield Refusal(begins, None, f"{len(cells)} cells, where the header has {width}")
        begins = lines.number + 1


class _Lines:
    """Text lines with their number; bytes that are no UTF-8 stay as surrogates and are refused with their row."""

    def __init__(self, stream: ByteStream) -> None:
        self._read = stream.readline
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            raw = self._read(MAX_ROW_BYTES)
        except BrokenSource as broken:
            raise CutShort(self.number + 1, str(broken)) from None
        if not raw:
            raise StopIteration
        self.number += 1
        if len(raw) == MAX_ROW_BYTES and not raw.endswith(b"\n"):
            self._pass_over()
            raise Rejected(None, f"the row is longer than {MAX_ROW_BYTES:,} bytes")
        return raw.decode("utf-8", "surrogateescape")

    def _pass_over(self) -> None:
        while (raw := self._read(MAX_ROW_BYTES)) and not raw.endswith(b"\n"):
            pass
