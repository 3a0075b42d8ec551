"""Inventory import: a stream of records becomes rows, in bounded memory, and a second time changes nothing.

Two passes over the rows, one over the file: the first reads, normalises and spools them to a temporary file in
COPY's text form while it learns which row of a repeated key is the last; the second copies the spool batch by
batch into a temporary table (COPY straight into a table is refused under row-level security) and merges what
differs, by two writers that share the resources out by their ids (ADR 14). An unchanged row is neither written nor
locked.
"""

from __future__ import annotations

import tempfile
import uuid
from array import array
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import IO, Any

from django.db import connection, connections

from apps.connectors.files import FORMATS, read
from apps.connectors.files.strict_json import to_text
from apps.connectors.masking import masked
from apps.connectors.records import PART_KEYS, RESOURCE_PART, WHOLE, Refusal, ResourceRecord
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.copying import copy_blocks, copy_json, copy_text, from_copy_text
from apps.core.db.plans import forget_plans
from apps.core.errors import InvalidInput

from ..models import ImportRun, resource_key
from .importing import ImportLog, Progress
from .secret_marks import fingerprint_key

BATCH_ROWS = 5_000
WRITERS = 2
BATCH_BYTES = 32 * 1024 * 1024
SPOOL_BUFFER = 1024 * 1024

# Core columns of both tables; COPY's order.
COLUMNS = (
    "id",
    "provider",
    "type",
    "name",
    "group_name",
    "location",
    "account",
    "status",
    "native_id",
    "part",
    "tags",
    "document",
)
_NATIVE_ID = COLUMNS.index("native_id")


def import_inventory(
    *, source: IO[bytes] | Path, name: str, format: str | None = None, progress: Progress | None = None
) -> ImportRun:
    """Import a file of resources for the context's tenant; returns the finished run.

    Good rows land whatever becomes of others; each refused row is kept with line, field and reason. Of a key
    that is repeated in the file the last row wins and the earlier are reported as superseded. Raises
    InvalidInput for an unknown format. Not inside a transaction: it opens one for each batch.
    """
    if format is not None and format not in FORMATS:
        raise InvalidInput(f"There is no format {format!r}; known: {', '.join(FORMATS)}.", field="format")
    log = ImportLog(kind="inventory", source=name, format=format or "", progress=progress)
    try:
        with tempfile.TemporaryFile(buffering=SPOOL_BUFFER) as spool:
            spooled = _spool(read(source, format), spool, log)
            spool.seek(0)
            _merge_spool(spool, spooled, log)
    except BaseException as error:
        log.finish(
            status="failed", error=f"{type(error).__name__}: {error}"[:500] if str(error) else "Cancelled."
        )
        raise
    log.finish()
    return log.run


class _Spooled:
    """Which row each line of the spool is: (resource, part) as a hash and the line of the file, 16 bytes; and for each
    key the number of its last row, about 100 bytes."""

    def __init__(self) -> None:
        self._keys, self._lines = array("q"), array("q")
        self._last: dict[int, int] = {}

    def note(self, key: int, line: int) -> None:
        self._last[key] = len(self._keys)
        self._keys.append(key)
        self._lines.append(line)

    def superseded(self, number: int) -> tuple[int, int] | None:
        """The line of a row that a later one of its key follows, and the line of the last of them."""
        last = self._last[self._keys[number]]
        return None if last == number else (self._lines[number], self._lines[last])


def _spool(items: Iterator[ResourceRecord | Refusal], spool: IO[bytes], log: ImportLog) -> _Spooled:
    tenant = str(current_tenant_id())
    spooled = _Spooled()
    for item in items:
        log.read += 1
        if isinstance(item, Refusal):
            log.refuse(item.line, item.field, item.reason, item.native_id)
        else:
            row_id = resource_key(tenant, *item.key)
            spooled.note(hash((row_id, item.part)), item.line)
            spool.write(copy_line(row_id, item))
        if log.read % BATCH_ROWS == 0:
            log.save()
    return spooled


def copy_line(row_id: str, record: ResourceRecord) -> bytes:
    """A record as a line of COPY's text form, under the row's id; its columns are COLUMNS.

    Values that may be secret stay outside: what is written nowhere can be read nowhere.
    """
    record = masked(record, fingerprint_key(current_tenant_id()))
    texts = copy_text(
        (
            row_id,
            record.provider,
            record.type,
            record.name,
            record.group_name,
            record.location,
            record.account,
            record.status,
            record.native_id,
            record.part,
        )
    )
    return b"%b\t%b\t%b\n" % (
        texts.encode(),
        copy_json(to_text(record.tags)) if record.tags else b"{}",
        copy_json(to_text(record.document)),
    )


def _merge_spool(spool: IO[bytes], spooled: _Spooled, log: ImportLog) -> None:
    with _writers(log) as writers:
        for number, row in enumerate(spool):
            if lines := spooled.superseded(number):
                log.refuse(lines[0], None, f"superseded by line {lines[1]}", _native_id(row))
            else:
                row_id = row[: row.index(b"\t")]
                writers[hash(row_id) % len(writers)].add(row_id, row)


class _Writer:
    """Makes batches, and has one merged while it gathers the next; the rows of one resource stay in their order.

    Without an executor it merges at once, in the caller's transaction.
    """

    def __init__(self, log: ImportLog, executor: Executor | None) -> None:
        self._log, self._executor = log, executor
        self._merging: Future[tuple[int, int]] | None = None
        self._empty()

    def _empty(self) -> None:
        self._batch: list[bytes] = []
        self._ids: set[bytes] = set()
        self._size = 0

    def add(self, row_id: bytes, row: bytes) -> None:
        if len(self._batch) >= BATCH_ROWS or self._size >= BATCH_BYTES or row_id in self._ids:
            self.flush()
        self._batch.append(row)
        self._ids.add(row_id)
        self._size += len(row)

    def flush(self) -> None:
        """Give away what was gathered, once what was given before is merged."""
        self.settle()
        if not self._batch:
            return
        if self._executor is None:
            merge_rows(self._batch, self._log)
        else:
            self._merging = self._executor.submit(copy_context().run, _merge, self._batch)
        self._empty()

    def settle(self) -> None:
        """Wait for what was given away, and count it."""
        if self._merging is not None:
            merging, self._merging = self._merging, None
            self._log.count(*merging.result())

    def settle_quietly(self) -> None:
        """The same where the import ends before its time: what landed meanwhile is counted."""
        if self._merging is not None and not self._merging.exception():
            self._log.add(*self._merging.result())


@contextmanager
def _writers(log: ImportLog) -> Iterator[list[_Writer]]:
    """Writers that share the resources out by their ids, each in a thread and by a connection of its own."""
    if connection.in_atomic_block:
        writer = _Writer(log, None)
        yield [writer]
        writer.flush()
        return
    with ExitStack() as stack:
        executors = [stack.enter_context(ThreadPoolExecutor(1, "inventory-writer")) for _ in range(WRITERS)]
        writers = [_Writer(log, executor) for executor in executors]
        try:
            yield writers
            for each in writers:
                each.flush()
            for each in writers:
                each.settle()
        except BaseException:
            for each in writers:
                each.settle_quietly()
            raise
        finally:
            for executor in executors:
                executor.submit(connections.close_all)


def _native_id(row: bytes) -> str:
    return from_copy_text(row.split(b"\t", _NATIVE_ID + 1)[_NATIVE_ID].decode())


def merge_rows(rows: list[bytes], log: ImportLog) -> None:
    """Write rows that `copy_line` has made, each id once, in a transaction of its own; counts into `log`."""
    log.count(*_merge(rows))


def _merge(rows: list[bytes]) -> tuple[int, int]:
    """(rows written, rows that were so already)."""
    tenant_id = current_tenant_id()
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        forget_plans(cursor)
        cursor.execute(_SETTINGS)
        cursor.execute(_TEMPORARY)
        copy_blocks(cursor, f"COPY incoming ({', '.join(COLUMNS)}) FROM STDIN", [b"".join(rows)])
        written = _write(cursor, tenant_id)
        cursor.execute("DROP TABLE incoming")  # the caller may hold the transaction open
    return written, len(rows) - written


# A batch's documents are sorted in memory.
_SETTINGS = f"SET LOCAL work_mem = '{3 * BATCH_BYTES // 1024}kB'"
_TEMPORARY = """
CREATE TEMPORARY TABLE incoming (
    id text, provider text, type text, name text, group_name text, location text, account text,
    tags jsonb, status text, native_id text, part text, document jsonb
) WITH (toast_tuple_target = 8160) ON COMMIT DROP
"""

# What is stored of a row is looked up by its key: LIMIT leaves the planner no other way. In the midst of a large import
# its statistics are always old, and it would hash all of the tenant's documents for each batch.
# A line that holds only a part of an asset changes its document, not what the resource line says of it.
_RESOURCES = """
WITH changed AS (
    SELECT i.* FROM incoming i LEFT JOIN LATERAL (SELECT * FROM resources WHERE id = i.id LIMIT 1) r ON true
    WHERE r.id IS NULL OR (i.part IN (%(whole)s, %(resource)s) AND
        (r.name, r.group_name, r.location, r.account, r.tags, r.status, r.native_id) IS DISTINCT FROM
        (i.name, i.group_name, i.location, i.account, i.tags, i.status, i.native_id))
)
INSERT INTO resources
    (id, tenant_id, provider, type, name, group_name, location, account, tags, status, native_id)
SELECT id, %(tenant)s, provider, type, name, group_name, location, account, tags, status, native_id
FROM changed ORDER BY type, id
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, group_name = excluded.group_name, location = excluded.location,
    account = excluded.account, tags = excluded.tags, status = excluded.status,
    native_id = excluded.native_id, updated_at = now()
RETURNING id
"""

_DOCUMENTS = """
WITH merged AS (
    SELECT i.id, i.type, p.properties AS stored,
        CASE WHEN i.part = %(whole)s THEN i.document
             WHEN i.part = %(resource)s THEN coalesce(
                 (SELECT jsonb_object_agg(k, p.properties -> k) FROM unnest(%(parts)s::text[]) k
                  WHERE p.properties ? k), '{}'::jsonb) || i.document
             ELSE coalesce(p.properties, '{}'::jsonb) || i.document END AS document
    FROM incoming i LEFT JOIN LATERAL (
        SELECT properties FROM resource_properties WHERE resource_id = i.id LIMIT 1) p ON true
)
INSERT INTO resource_properties (resource_id, tenant_id, type, properties)
SELECT id, %(tenant)s, type, document FROM merged WHERE stored IS DISTINCT FROM document ORDER BY type, id
ON CONFLICT (resource_id) DO UPDATE SET properties = excluded.properties
RETURNING resource_id
"""

_TOUCH = "UPDATE resources SET updated_at = now() WHERE id = ANY(%s)"


def _write(cursor: Any, tenant_id: uuid.UUID) -> int:
    """Merge `incoming` into both tables; returns how many resources changed in either."""
    values = {
        "tenant": tenant_id,
        "whole": WHOLE,
        "resource": RESOURCE_PART,
        "parts": list(PART_KEYS.values()),
    }
    cursor.execute(_RESOURCES, values)
    core = {row[0] for row in cursor.fetchall()}
    cursor.execute(_DOCUMENTS, values)
    documents = {row[0] for row in cursor.fetchall()}
    if only_document := list(documents - core):
        cursor.execute(_TOUCH, [only_document])
    return len(core | documents)
