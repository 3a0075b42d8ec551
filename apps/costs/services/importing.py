"""Cost import: a stream of charges becomes lines, series and rollups, in flat memory, all at once or not at all.

Two passes over the rows, one over the file: the first reads, checks and spools them to a temporary file in
COPY's text form, each with a digest of its content; then one transaction copies the spool into a temporary
table, compares it with the lines that the same billing periods have, and writes what differs. Nothing of
another billing period is touched, and a file that breaks off changes nothing, for it is no whole delivery.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from apps.catalog.models import ImportRun
from apps.catalog.services.importing import ImportLog, Progress
from apps.connectors.billing import FORMATS, Charge, CutShort, read
from apps.connectors.records import Refusal
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.copying import copy_text
from apps.core.errors import InvalidInput

from .merging import merge

SPOOLED_BETWEEN_SAVES = 10_000


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
        with tempfile.TemporaryFile(prefix="costs-") as spool:
            spooled = _spool(files.items(format), spool, log)
            summary = _apply(spool, log) if spooled else {}
    except BaseException as error:
        log.finish(status="failed", error=str(error)[:500] or "Cancelled.")
        raise
    log.finish(summary=summary)
    return log.run


def _apply(spool: IO[bytes], log: ImportLog) -> dict[str, Any]:
    spool.seek(0)
    log.note("Comparing with what is there")
    # No checkpoint inside: it would hold the job's row, and the heartbeat with it, to the end.
    with tenant_transaction(current_tenant_id()):
        merged = merge(spool, run_id=log.run.pk)
    log.written, log.unchanged = merged.added, merged.unchanged
    return merged.summary()


def _spool(items: Iterator[Charge | Refusal], spool: IO[bytes], log: ImportLog) -> int:
    spooled = 0
    try:
        for item in items:
            log.read += 1
            if isinstance(item, Charge):
                spool.write(copy_line(item.values))
                spooled += 1
            else:
                log.refuse(item.line, item.field, item.reason, item.native_id)
            if log.read % SPOOLED_BETWEEN_SAVES == 0:
                log.save()
    except CutShort as cut:
        raise InvalidInput(
            f"The file breaks off at line {cut.line}: {cut.reason}. Nothing was changed.", field="file"
        ) from cut
    return spooled


def copy_line(values: tuple[str | None, ...]) -> bytes:
    """A charge in COPY's text form, headed by the digest of its content."""
    raw = copy_text(values).encode()
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
                for item in read(self._open, format):  # type: ignore[arg-type]
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
