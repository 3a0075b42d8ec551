"""Opening a file or an upload: gzip or plain, its beginning known, its encoding checked, its breaks told."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from apps.connectors.bounds import GZIP_FREE_BYTES, MAX_GZIP_RATIO
from apps.connectors.records import Rejected

HEAD_BYTES = 64 * 1024
_BUFFER_BYTES = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

Input = str | Path | IO[bytes]
_Read = Callable[[int], bytes]


class ByteStream(Protocol):
    """What the readers need of a stream."""

    def readline(self, size: int = -1, /) -> bytes: ...

    def read1(self, size: int = -1, /) -> bytes: ...


class BrokenSource(Exception):
    """The bytes go wrong in the middle (a gzip that is cut short or damaged). The message says how."""


class Source:
    """A stream of plain bytes with a look at its beginning.

    `head` holds the first HEAD_BYTES (fewer where the file is shorter), without a byte order mark; `stream`
    gives all of the bytes, the head included, and raises BrokenSource where they break.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        head, read = _take_head(raw.read)
        if head.startswith(_GZIP_MAGIC):
            head, read = _take_head(_unpacked(_Chained(head, read)))
        self.head = head.removeprefix(_UTF8_MARK)
        self.stream: ByteStream = io.BufferedReader(_Chained(self.head, read), _BUFFER_BYTES)

    def refuse_unreadable(self) -> None:
        """Raises Rejected for an empty file and for what can be told from the first bytes."""
        if not self.head:
            try:
                self.stream.read1(1)
            except BrokenSource as broken:
                raise Rejected(None, str(broken)) from None
        if self.head.startswith(_UTF16_MARKS) or _looks_like_utf16(self.head):
            raise Rejected(None, "the file is UTF-16 or UTF-32; save it as UTF-8 and import it again")


@contextmanager
def open_source(given: Input) -> Iterator[Source]:
    """A Source over a path or a binary stream; what it opened itself, it closes."""
    if isinstance(given, str | Path):
        with Path(given).open("rb") as opened:
            yield Source(opened)
    else:
        yield Source(given)


class _Chained(io.RawIOBase):
    """The bytes already read, then the rest. Reads are filled up; a break waits for the bytes before it."""

    def __init__(self, head: bytes, read: _Read) -> None:
        self._head = head
        self._read = read
        self._broken: BrokenSource | None = None
        self.given = 0  # bytes so far

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            data = self._next(len(view) - filled, waiting=filled > 0)
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
        self.given += filled
        return filled

    def _next(self, size: int, *, waiting: bool) -> bytes:
        """Up to `size` bytes. A break is raised at once, or at the next call where bytes are `waiting`."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        if self._broken is None:
            try:
                return self._read(size)
            except BrokenSource as broken:
                self._broken = broken
        if waiting:
            return b""
        raise self._broken


def _unpacked(packed: _Chained) -> _Read:
    """Reads of a gzip's content. `read1` and not `read`: a break must not swallow the bytes before it."""
    buffered: Any = io.BufferedReader(packed, _BUFFER_BYTES)
    unzip = gzip.GzipFile(fileobj=buffered)
    unpacked = 0

    def read(size: int) -> bytes:
        nonlocal unpacked
        if unpacked > max(GZIP_FREE_BYTES, packed.given * MAX_GZIP_RATIO):
            raise BrokenSource(f"the gzip data unpacks to more than {MAX_GZIP_RATIO} times its size")
        try:
            data = unzip.read1(size)
        except EOFError:
            raise BrokenSource("the gzip data ends before its end mark: the file was cut short") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BrokenSource(f"the gzip data is damaged: {error}") from None
        unpacked += len(data)
        return data

    return read


def _take_head(read: _Read) -> tuple[bytes, _Read]:
    """The first bytes, and the reads that go on behind them (a break among them is raised there)."""
    head = b""
    while len(head) < HEAD_BYTES:
        try:
            more = read(HEAD_BYTES - len(head))
        except BrokenSource as broken:
            return head, _failing(broken)
        if not more:
            break
        head += more
    return head, read


def _failing(broken: BrokenSource) -> _Read:
    def read(size: int) -> bytes:
        raise broken

    return read


def _looks_like_utf16(head: bytes) -> bool:
    """Text without a mark whose every second byte is zero; UTF-8 text and JSON have no raw NUL."""
    start = head[:64]
    half = len(start) // 2
    return half >= 2 and max(start[0::2].count(0), start[1::2].count(0)) * 2 > half
