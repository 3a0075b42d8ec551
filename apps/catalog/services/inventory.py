"""Inventory import: a stream of records becomes rows, in bounded memory, and a second time changes nothing.

Two passes over the rows, one over the file: the first reads, normalises and spools them to a temporary file in
COPY's text form while it learns which row of a repeated key is the last; the second copies the spool batch by
batch into a temporary table (COPY straight into a table is refused under row-level security) and merges what
differs. An unchanged row is neither written nor locked.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.db import connection

from apps.connectors.files import FORMATS, read
from apps.connectors.masking import masked
from apps.connectors.records import PART_KEYS, RESOURCE_PART, WHOLE, Refusal, ResourceRecord
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.plans import forget_plans
from apps.core.errors import InvalidInput

from ..models import ImportRun, resource_key
from .importing import ImportLog, Progress
from .secret_marks import fingerprint_key

BATCH_ROWS = 5_000
BATCH_BYTES = 32 * 1024 * 1024

# Core columns of both tables; COPY's order.
COLUMNS = (
    "id",
    "provider",
    "type",
    "name",
    "group_name",
    "location",
    "account",
    "tags",
    "status",
    "native_id",
    "part",
    "document",
)


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
        with tempfile.TemporaryFile() as spool:
            last = _spool(read(source, format), spool, log)
            spool.seek(0)
            _merge_spool(spool, last, log)
    except BaseException as error:
        log.finish(
            status="failed", error=f"{type(error).__name__}: {error}"[:500] if str(error) else "Cancelled."
        )
        raise
    log.finish()
    return log.run


class _LastOf:
    """For each key the number of its last row in the spool, and that row's line; about 100 bytes a key."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[int, int]] = {}

    def note(self, key: int, number: int, line: int) -> None:
        self._rows[key] = (number, line)

    def superseded_by(self, key: int, number: int) -> int | None:
        last_number, line = self._rows[key]
        return None if last_number == number else line


def _spool(items: Iterator[ResourceRecord | Refusal], spool: IO[bytes], log: ImportLog) -> _LastOf:
    tenant = str(current_tenant_id())
    last = _LastOf()
    number = 0
    for item in items:
        log.read += 1
        if isinstance(item, Refusal):
            log.refuse(item.line, item.field, item.reason, item.native_id)
        else:
            provider, type_, native_id = item.key
            row_id = resource_key(tenant, provider, type_, native_id)
            key = hash((row_id, item.part))
            last.note(key, number, item.line)
            head = f"{key} {number} {item.line} {json.dumps(item.native_id)}\n"
            spool.write(head.encode() + copy_line(row_id, item))
            number += 1
        if log.read % BATCH_ROWS == 0:
            log.save()
    return last


def copy_line(row_id: str, record: ResourceRecord) -> bytes:
    """A record as a line of COPY's text form, under the row's id; values that may be secret stay outside."""
    record = masked(record, fingerprint_key(current_tenant_id()))
    values = (
        row_id,
        record.provider,
        record.type,
        record.name,
        record.group_name,
        record.location,
        record.account,
        _json(record.tags),
        record.status,
        record.native_id,
        record.part,
        _json(record.document),
    )
    return ("\t".join(map(_copy_text, values)) + "\n").encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _copy_text(value: str | None) -> str:
    return "\\N" if value is None else value.translate(_ESCAPES)


def _merge_spool(spool: IO[bytes], last: _LastOf, log: ImportLog) -> None:
    batch: list[bytes] = []
    ids: set[bytes] = set()
    size = 0
    while head := spool.readline():
        row = spool.readline()
        key, number, line, native_id = head.split(b" ", 3)
        by = last.superseded_by(int(key), int(number))
        if by is not None:
            log.refuse(int(line), None, f"superseded by line {by}", json.loads(native_id))
            continue
        row_id = row[: row.index(b"\t")]
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES or row_id in ids:
            merge_rows(batch, log)
            batch, ids, size = [], set(), 0
        batch.append(row)
        ids.add(row_id)
        size += len(row)
    if batch:
        merge_rows(batch, log)


def merge_rows(rows: list[bytes], log: ImportLog) -> None:
    """Write rows that `copy_line` has made, each id once, in a transaction of its own; counts into `log`."""
    tenant_id = current_tenant_id()
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        forget_plans(cursor)
        cursor.execute(_TEMPORARY)
        with cursor.copy(f"COPY incoming ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            copy.write(b"".join(rows))
        written = _write(cursor, tenant_id)
        cursor.execute("DROP TABLE incoming")  # the caller may hold the transaction open
    log.written += written
    log.unchanged += len(rows) - written
    log.save()


_TEMPORARY = """
CREATE TEMPORARY TABLE incoming (
    id text PRIMARY KEY, provider text, type text, name text, group_name text, location text, account text,
    tags jsonb, status text, native_id text, part text, document jsonb
) ON COMMIT DROP
"""

# A line that holds only a part of an asset changes its document, not what the resource line says of it.
_RESOURCES = """
WITH changed AS (
    SELECT i.* FROM incoming i LEFT JOIN resources r ON r.id = i.id
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
    FROM incoming i LEFT JOIN resource_properties p ON p.resource_id = i.id
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
    cursor.execute("ANALYZE incoming")
    cursor.execute(_RESOURCES, values)
    core = {row[0] for row in cursor.fetchall()}
    cursor.execute(_DOCUMENTS, values)
    documents = {row[0] for row in cursor.fetchall()}
    if only_document := list(documents - core):
        cursor.execute(_TOUCH, [only_document])
    return len(core | documents)
