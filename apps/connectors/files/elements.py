"""The elements of one big JSON array, found in a byte stream without reading the document as a whole.

A cloud's answer is one document: a list, or an object with a list in it (`data`, `items`, …). A streaming
JSON parser would read it, and would lose what an importer owes its user: the line an element begins on, the
elements behind a bad one, and a bound on how large one element may grow. So this finds where each element
begins and ends, and the JSON parser gets the bytes between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from apps.connectors.bounds import MAX_ROW_BYTES
from apps.connectors.files.lines import Line
from apps.connectors.files.source import BrokenSource, ByteStream
from apps.connectors.records import Refusal

_CHUNK_BYTES = 128 * 1024
_SPACE = re.compile(rb"[ \t\r\n]*")
_INSIDE = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_STRING = b'"' + _INSIDE + b'"'
_IN_STRING = re.compile(_INSIDE, re.DOTALL)
# Whole strings and anything that is no bracket; possessive, so that a cut string costs one pass.
_PLAIN = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb")*+", re.DOTALL)
_WHOLE_STRING = re.compile(_STRING, re.DOTALL)
_SCALAR = re.compile(rb'[^ \t\r\n,\]}\[{":]*')
_OPENING = b"{["


class _Break(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(line, None, reason)


def array_elements(stream: ByteStream, keys: Collection[str]) -> Iterator[Line | Refusal]:
    """(line the element begins on, its bytes) for each element of the list.

    The stream holds a list, or an object whose member named in `keys` is the list, or several of these one
    after the other (pages of an answer). Once the brackets are wrong nothing behind can be trusted: the
    break is refused with its line and ends the iteration.
    """
    scanner = _Scanner(stream)
    try:
        while scanner.peek():
            yield from _document(scanner, keys)
    except _Break as broken:
        yield broken.refusal
    except BrokenSource as broken:
        yield Refusal(scanner.line, None, str(broken))


def _document(scanner: _Scanner, keys: Collection[str]) -> Iterator[Line | Refusal]:
    opening = scanner.peek()
    if opening == b"[":
        yield from _array(scanner)
    elif opening == b"{":
        yield from _members(scanner, keys)
    else:
        raise _Break(scanner.line, "not JSON: expected a list or an object")


def _members(scanner: _Scanner, keys: Collection[str]) -> Iterator[Line | Refusal]:
    begins, found = scanner.line, False
    scanner.step()
    while scanner.peek() != b"}":
        line = scanner.line
        key = _key(scanner)
        if key in keys:
            found = True
            if scanner.peek() == b"[":
                yield from _array(scanner)
            else:
                yield Refusal(line, key, f"{key} is not a list of resources")
                scanner.value()
        else:
            scanner.value()
        scanner.separator(b"}")
    scanner.step()
    if not found:
        yield Refusal(begins, None, f"the document has no list called {' or '.join(sorted(keys))}")


def _key(scanner: _Scanner) -> str:
    raw = scanner.value() if scanner.peek() == b'"' else None
    if raw is None or scanner.peek() != b":":
        raise _Break(scanner.line, "not JSON: expected a key and a colon")
    scanner.step()
    try:
        return str(json.loads(raw))
    except ValueError:
        raise _Break(scanner.line, "not JSON: the key is not a valid string") from None


def _array(scanner: _Scanner) -> Iterator[Line | Refusal]:
    scanner.step()
    while scanner.peek() != b"]":
        line = scanner.line
        raw = scanner.value()
        if raw is None:
            yield Refusal(line, None, f"the element is longer than {MAX_ROW_BYTES:,} bytes")
        else:
            yield line, raw
        scanner.separator(b"]")
    scanner.step()


class _Scanner:
    """A window over the stream; `line` is the line of the next byte."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._window = b""
        self._at = 0
        self.line = 1

    def peek(self) -> bytes:
        """The next byte that isn't white space; empty at the end."""
        while True:
            blank = _SPACE.match(self._window, self._at)
            end = blank.end() if blank else self._at
            self._advance(end)
            if end < len(self._window):
                return self._window[end : end + 1]
            if not self._fill():
                return b""

    def step(self) -> None:
        """Past the byte that `peek` gave."""
        self._at += 1

    def separator(self, closing: bytes) -> None:
        """Past a comma, or up to the closing bracket. Raises _Break on anything else."""
        found = self.peek()
        if found == b",":
            self.step()
            if self.peek() != closing:
                return
            raise _Break(self.line, "not JSON: a comma before the closing bracket")
        if not found:
            raise _Break(self.line, "the file ends before the list is closed: it was cut short")
        if found != closing:
            raise _Break(self.line, f"not JSON: expected a comma or {closing.decode()}")

    def value(self) -> bytes | None:
        """The bytes of the next value; None where they are too many (passed over). Raises _Break at a cut."""
        first, begins = self.peek(), self.line
        size = self._container() if first in (b"{", b"[") else self._scalar(first)
        if size == 0:
            raise _Break(
                begins, "not JSON: expected a value" if first else "the file ends where a value is due"
            )
        if size is None:
            return None
        raw = self._window[self._at : self._at + size]
        self._advance(self._at + size)
        return raw

    def _scalar(self, first: bytes) -> int | None:
        pattern = _WHOLE_STRING if first == b'"' else _SCALAR
        while True:
            found = pattern.match(self._window, self._at)
            if found and found.end() < len(self._window):
                return found.end() - self._at
            if len(self._window) - self._at > MAX_ROW_BYTES:
                self._pass_over(depth=0)
                return None
            if not self._fill():
                if found:
                    return found.end() - self._at
                raise _Break(self.line, "the file ends inside a string: it was cut short")

    def _container(self) -> int | None:
        """The length of the object or list that begins here."""
        depth, offset = 0, 0
        while True:
            offset, depth, closed = self._brackets(self._at + offset, depth)
            offset -= self._at
            if closed and offset > MAX_ROW_BYTES:
                self._advance(self._at + offset)
                return None
            if closed:
                return offset
            if len(self._window) - self._at > MAX_ROW_BYTES:
                self._advance(self._at + offset)
                self._pass_over(depth)
                return None
            begins = self.line
            if not self._fill():
                raise _Break(
                    begins, "the file ends inside the element that begins on this line: it was cut short"
                )

    def _brackets(self, at: int, depth: int) -> tuple[int, int, bool]:
        """Counts brackets from `at` on: (where it stopped, depth there, whether the outermost closed)."""
        window, end = self._window, len(self._window)
        match = _PLAIN.match
        while True:
            plain = match(window, at)
            stop = plain.end() if plain else at
            if stop >= end or window[stop] == 0x22:  # the window ends, maybe inside a string
                return at, depth, False
            depth += 1 if window[stop] in _OPENING else -1
            at = stop + 1
            if depth == 0:
                return at, depth, True

    def _pass_over(self, depth: int) -> None:
        """Reads on to the end of a value that is too long and keeps nothing; `depth` brackets are open."""
        while True:
            at, depth, closed = self._brackets(self._at, depth) if depth else (self._at, 0, False)
            self._advance(at)
            if closed:
                return
            plain = _PLAIN.match(self._window, self._at)
            self._advance(plain.end() if plain else self._at)
            if self._at < len(self._window):
                self._skip_string()
            elif not self._fill():
                raise _Break(self.line, "the file ends inside a value that is too long")
            if depth == 0:
                return

    def _skip_string(self) -> None:
        """Past a string whose opening quote comes next, in one match a window."""
        self._at += 1
        while True:
            inside = _IN_STRING.match(self._window, self._at)
            self._advance(inside.end() if inside else self._at)
            if self._window[self._at : self._at + 1] == b'"':
                self._at += 1
                return
            if not self._fill():  # a backslash at the window's end stays, and its next byte comes
                raise _Break(self.line, "the file ends inside a string: it was cut short")

    def _advance(self, to: int) -> None:
        self.line += self._window.count(b"\n", self._at, to)
        self._at = to

    def _fill(self) -> bool:
        """More bytes behind the window, which doubles, so that a long element costs few passes."""
        kept = len(self._window) - self._at
        more = self._stream.read1(max(_CHUNK_BYTES, kept))
        self._window = self._window[self._at :] + more
        self._at = 0
        return bool(more)
