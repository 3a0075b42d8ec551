"""Cost import: a stream of charges becomes lines, series and rollups, in flat memory, all at once or not at all.

The rows are read and checked one by one, and go in COPY's text form, each with a digest of its content, into a
temporary table, where a second thread writes them while the next are read; then the same transaction compares them
with the lines that the same billing periods have, and writes what differs (ADR 14). Nothing of another billing
period is touched, and a file that breaks off changes nothing, for it is no whole delivery.
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

from django.db import connection

from apps.catalog.models import ImportRun
from apps.catalog.services.importing import ImportLog, Progress
from apps.connectors.billing import FORMATS, Charge, CutShort, read
from apps.connectors.records import Refusal
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.copying import copy_value
from apps.core.errors import InvalidInput

from .beside import BLOCK, Blocks, BrokenOff, Lines, written_beside
from .merging import Merged, merge

READ_BETWEEN_SAVES = 10_000
_COMPARING = "Comparing with what is there"


def import_costs(
    *,
    source: IO[bytes] | Path,
    name: str,
    format: str | None = None,
    progress: Progress | None = None,
) -> ImportRun:
    """Import a billing export (or a folder of its parts) and return the ended run.

    `written` are lines that are new, `unchanged` those that were there; `summary["periods"]` says of each
    billing period that changed what it was and what it is. Raises InvalidInput for an unknown format and for
    a file that breaks off.
    """
    if format is not None and format not in FORMATS:
        raise InvalidInput(f"There is no format {format!r}; known: {', '.join(FORMATS)}.", field="format")
    files = _Files(source)
    log = ImportLog(kind="costs", source=name, format=format or "", progress=progress, measure=files.progress)
    try:
        merged = _spooled(files, format, log) if connection.in_atomic_block else _beside(files, format, log)
    except BaseException as error:
        log.finish(status="failed", error=str(error)[:500] or "Cancelled.")
        raise
    if merged:
        log.written, log.unchanged = merged.added, merged.unchanged
    log.finish(summary=merged.summary() if merged else {})
    return log.run


def _beside(files: _Files, format: str | None, log: ImportLog) -> Merged | None:
    with written_beside(partial(_merge, run_id=log.run.pk)) as (pipe, merging):
        try:
            _copy_lines(files.items(format), pipe, log)
            log.note(_COMPARING)  # the last moment to cancel
            pipe.close()
        except BrokenOff:
            pass  # by the other side, which says why
        return merging.result()


def _spooled(files: _Files, format: str | None, log: ImportLog) -> Merged | None:
    """One after the other, where the caller's open transaction is to hold all of it."""
    with tempfile.TemporaryFile(prefix="costs-") as spool:
        _copy_lines(files.items(format), spool, log)
        log.note(_COMPARING)
        spool.seek(0)
        return _merge(spool, run_id=log.run.pk)


def _merge(lines: Blocks, *, run_id: uuid.UUID) -> Merged | None:
    # Nothing is begun before there is something: most deliveries are a block, and are read before their transaction.
    first = lines.read(BLOCK)
    if not first:
        return None
    # No checkpoint inside: it would hold the job's row, and the heartbeat with it, to the end.
    with tenant_transaction(current_tenant_id()):
        return merge(chain([first], iter(partial(lines.read, BLOCK), b"")), run_id=run_id)


def _copy_lines(items: Iterator[Charge | Refusal], lines: Lines, log: ImportLog) -> None:
    write = lines.write
    try:
        for item in items:
            log.read += 1
            if isinstance(item, Charge):
                write(copy_line(item.values))
            else:
                log.refuse(item.line, item.field, item.reason, item.native_id)
            if log.read % READ_BETWEEN_SAVES == 0:
                log.save()
    except CutShort as cut:
        raise InvalidInput(
            f"The file breaks off at line {cut.line}: {cut.reason}. Nothing was changed.", field="file"
        ) from cut


def copy_line(values: Sequence[Any]) -> bytes:
    """A charge whose values are in COPY's text form, headed by the digest of its content."""
    raw = "\t".join(values).encode()
    return b"%b\t%b\n" % (hashlib.blake2b(raw, digest_size=16).hexdigest().encode(), raw)


class _Files:
    """The file, or a folder's files in order, and how far they have been read."""

    def __init__(self, source: IO[bytes] | Path) -> None:
        self._parts: list[tuple[str, Callable[[], IO[bytes]], bool]] = []
        self._done = self._total = 0
        self._open: _Counted | None = None
        if isinstance(source, Path):
            for path in _parts(source):
                self._parts.append((path.name, _opener(path), True))
                self._total += path.stat().st_size
        else:
            self._parts.append(("", lambda: source, False))
            self._total = _size(source)

    def progress(self) -> tuple[int, int | None]:
        """(bytes read, bytes in all or None)."""
        return self._done + (self._open.count if self._open else 0), self._total or None

    def items(self, format: str | None) -> Iterator[Charge | Refusal]:
        several = len(self._parts) > 1
        for name, opened, ours in self._parts:
            file = opened()
            try:
                self._open = _Counted(file)
                for item in read(self._open, format, copy_value):  # type: ignore[arg-type]
                    if several and isinstance(item, Refusal):
                        yield Refusal(item.line, item.field, f"{name}: {item.reason}", item.native_id)
                    else:
                        yield item
                self._done += self._open.count
                self._open = None
            finally:
                if ours:
                    file.close()


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _parts(source: Path) -> list[Path]:
    """The file itself, or the files of a folder in the order of their names; links are not followed."""
    if not source.is_dir():
        return [source]
    found = sorted(p for p in source.rglob("*") if p.is_file() and not p.is_symlink() and p.name[0] != ".")
    if not found:
        raise InvalidInput(f"The folder {source} holds no file.", field="path")
    return found


def _size(file: IO[bytes]) -> int:
    if not file.seekable():
        return 0
    here = file.tell()
    size = file.seek(0, 2) - here
    file.seek(here)
    return size


class _Counted:
    """A binary file that counts what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        return data
