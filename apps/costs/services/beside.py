"""Lines that one thread reads while another has them written: a bounded pipe, and the thread at its end."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Protocol, TypeVar

from django.db import connections

T = TypeVar("T")
BLOCK = 1024 * 1024  # bytes, about
_WAITING = 4  # blocks that are read and not yet written: what is in memory at a time


class Blocks(Protocol):
    """Where blocks come from; b"" is the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class Lines(Protocol):
    """Where lines go, one by one."""

    def write(self, line: bytes, /) -> object: ...


class BrokenOff(Exception):
    """The side that reads the file has given up: what came so far is no whole delivery."""


class Pipe:
    """Whole lines in, blocks of some of them out, in another thread."""

    def __init__(self) -> None:
        self._blocks: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._lines: list[bytes] = []
        self._bytes = 0
        self._nobody_reads = False

    def write(self, line: bytes, /) -> None:
        """Take a line; waits while there are blocks enough. BrokenOff where the other side has ended."""
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= BLOCK:
            self._put(b"".join(self._lines))
            self._lines, self._bytes = [], 0

    def close(self) -> None:
        """All was written."""
        if self._lines:
            self._put(b"".join(self._lines))
        self._put(b"")

    def break_off(self) -> None:
        """What was written is to be forgotten: `read` raises BrokenOff."""
        if not self._nobody_reads:
            self._blocks.put(None)

    def read(self, size: int = -1, /) -> bytes:
        """The next block, whatever its size; b"" at the end, and again after it."""
        block = self._blocks.get()
        if block is None:
            raise BrokenOff
        if not block:
            self._blocks.put(block)
        return block

    def end(self) -> None:
        """Nobody reads any more: who waits in `write` is let go."""
        self._nobody_reads = True
        while True:
            try:
                self._blocks.get_nowait()
            except queue.Empty:
                return

    def _put(self, block: bytes) -> None:
        self._blocks.put(block)
        if self._nobody_reads:
            raise BrokenOff


@contextmanager
def written_beside(write: Callable[[Blocks], T]) -> Iterator[tuple[Pipe, Future[T]]]:
    """A pipe whose blocks `write` takes in a thread with a database connection of its own, in the same context.

    The caller writes lines, closes the pipe, and has the result or the error from the future. Where it raises
    instead, `write` gets BrokenOff from its next read.
    """
    pipe = Pipe()

    def work() -> T:
        try:
            return write(pipe)
        finally:
            pipe.end()
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="written-beside") as beside:
        future = beside.submit(copy_context().run, work)
        try:
            yield pipe, future
        except BaseException:
            pipe.break_off()
            raise
