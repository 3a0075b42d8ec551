"""Lines of a byte stream with their numbers, each bounded, in flat memory whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator

from apps.connectors.bounds import MAX_ROW_BYTES
from apps.connectors.files.source import BrokenSource, ByteStream
from apps.connectors.records import Refusal

Line = tuple[int, bytes]


def numbered_lines(stream: ByteStream, limit: int = MAX_ROW_BYTES) -> Iterator[Line | Refusal]:
    """(line number from 1, bytes without the newline) for each line that isn't blank.

    A line over `limit` bytes is passed over to its end and refused; a break of the stream is refused with the
    line it lies in, and ends the iteration.
    """
    number = 0
    while True:
        number += 1
        try:
            raw = stream.readline(limit + 1)
            if not raw:
                return
            if len(raw) > limit and not raw.endswith(b"\n"):
                yield Refusal(
                    number, None, f"the row is longer than {limit:,} bytes ({_skip_line(stream, len(raw)):,})"
                )
                continue
        except BrokenSource as broken:
            yield Refusal(number, None, str(broken))
            return
        raw = raw.rstrip(b"\r\n")
        if raw.strip():
            yield number, raw


def _skip_line(stream: ByteStream, length: int) -> int:
    """Reads to the end of the line and gives its whole length."""
    while True:
        raw = stream.readline(MAX_ROW_BYTES)
        length += len(raw)
        if not raw or raw.endswith(b"\n"):
            return length
