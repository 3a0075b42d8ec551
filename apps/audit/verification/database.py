"""Reading a trail to verify it: the places of the tree and the rows in bulk (stream.py), and the rest one by one.

By built-in functions of pg_catalog alone, never by ours. Whoever could make those lie could as well show the
verifier other columns than everybody else.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg
from django.db import connections, transaction

from ..sealing.notes import note_hash
from .rows import COLUMNS, Row
from .stream import RowStream

BATCH = 16384
BATCHES_AHEAD = 2
UNSEALED_BATCH = 4096


PLACES = """
SELECT count(*), string_agg(uuid_send(l.audit_id), ''::bytea), string_agg(l.leaf, ''::bytea)
FROM (
    SELECT audit_id, leaf FROM audit_leaves WHERE tenant_id = %s AND seq >= %s AND seq < %s ORDER BY seq OFFSET 0
) l
"""
# Where the rows begin that got their places from here on: those of the first places that are still there.
FIRST_XID = """
SELECT min(a.xid::text::bigint) FROM (
    SELECT audit_id FROM audit_leaves WHERE tenant_id = %s AND seq >= %s ORDER BY seq LIMIT 1000
) l JOIN audits a ON a.id = l.audit_id
"""
BY_ROW = f"""
SELECT l.seq, l.audit_id, l.leaf, {COLUMNS}
FROM audit_leaves l LEFT JOIN audits a ON a.id = l.audit_id
WHERE l.tenant_id = %s AND l.seq >= %s AND l.seq < %s ORDER BY l.seq
"""
UNSEALED = f"""
SELECT (a.xid, a.id) <= (c.read_xid, c.read_id), {COLUMNS}
FROM audits a LEFT JOIN audit_chains c ON c.tenant_id = a.tenant_id
WHERE a.tenant_id = %s AND (a.created_at, a.id) < (%s, %s)
  AND (SELECT l.seq FROM audit_leaves l WHERE l.tenant_id = a.tenant_id AND l.audit_id = a.id LIMIT 1) IS NULL
ORDER BY a.created_at DESC, a.id DESC LIMIT %s
"""
# In one statement, hence of one moment.
COUNTS = """
SELECT (SELECT count(*) FROM audits WHERE tenant_id = %(t)s),
       (SELECT count(*) FROM audit_leaves WHERE tenant_id = %(t)s)
"""
ANCHORED = """
SELECT size, note FROM audit_checkpoints WHERE tenant_id = %s AND size > %s AND anchored_at IS NOT NULL ORDER BY size
"""
# Built-ins first, whatever a database's or a role's own settings put before them. And rows by their keys: joined by
# a hash, every batch would read the whole table, and from a bitmap they would have to be sorted again.
BUILT_INS_FIRST = """
SELECT pg_catalog.set_config(
    'search_path', 'pg_catalog, ' || relnamespace::pg_catalog.regnamespace::pg_catalog.text, true),
    pg_catalog.set_config('enable_hashjoin', 'off', true), pg_catalog.set_config('enable_mergejoin', 'off', true),
    pg_catalog.set_config('enable_bitmapscan', 'off', true)
FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.=) 'audits'::pg_catalog.regclass
"""
ANCHORED_PLATFORM = (
    "SELECT size, note FROM audit_platform_checkpoints WHERE anchored_at IS NOT NULL ORDER BY size"
)

PURGED = (
    "SELECT purged_id, certificate, sha256 FROM audit_purges WHERE ended_at IS NOT NULL ORDER BY ended_at, id"
)


@dataclass(frozen=True)
class Batch:
    """Places `first` to `end` (exclusive): the ids of their rows (16 bytes each) and their leaves, end to end.

    Where not `whole` a place is missing among them.
    """

    first: int
    end: int
    whole: bool
    ids: bytes
    sealed: bytes


def tenant_ids(using: str) -> list[uuid.UUID]:
    """All tenants that the role of `using` sees."""
    return [row[0] for row in _fetch(using, "SELECT id FROM tenants ORDER BY id")]


def purge_certificates(using: str) -> list[tuple[uuid.UUID, str, str]]:
    """(tenant's id, certificate, its recorded SHA-256) of every purge that ended, the oldest first."""
    return _fetch(using, PURGED)


def anchored_platform(using: str) -> list[tuple[int, str]]:
    """As Reader.anchored, of the platform's log."""
    return [(size, note_hash(str(note).encode())) for size, note in _fetch(using, ANCHORED_PLATFORM)]


def _fetch(using: str, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(BUILT_INS_FIRST)
        cursor.execute(sql, values)
        return list(cursor.fetchall())


class Reader:
    """Reads one tenant's trail as the role of `using`, in short transactions, in flat memory."""

    def __init__(self, tenant_id: uuid.UUID, using: str) -> None:
        self.tenant_id, self._using = tenant_id, using

    @contextmanager
    def batches(self, start: int, size: int) -> Iterator[Iterator[Batch]]:
        """The places from `start` to `size`; the next ones are fetched while one is verified, from the start on."""
        with ThreadPoolExecutor(1, thread_name_prefix="audit-verify") as ahead:
            context, firsts = copy_context(), iter(range(start, size, BATCH))
            coming: deque[Future[Batch]] = deque()

            def read(first: int) -> Batch:
                return context.run(self._batch, first, min(first + BATCH, size))

            def fetch(number: int) -> None:
                coming.extend(ahead.submit(read, first) for first in islice(firsts, number))

            def fetched() -> Iterator[Batch]:
                while coming:
                    yield coming.popleft().result()
                    fetch(1)

            fetch(BATCHES_AHEAD)
            try:
                yield fetched()
            finally:
                ahead.submit(self._close).result()

    def stream(self, start: int) -> RowStream:
        """The rows that have the places from `start` on, and those in none yet."""
        first = self.fetch(FIRST_XID, [self.tenant_id, start]) if start else [(None,)]
        return RowStream(self.tenant_id, self._using, BUILT_INS_FIRST, first[0][0] or 0)

    def rows(self, first: int, end: int) -> list[tuple[int, uuid.UUID, bytes, Row]]:
        """The same row by row: place, id and leaf as sealed, and the row (its first column None: it is gone)."""
        return [
            (row[0], row[1], bytes(row[2]), row[3:])
            for row in self.fetch(BY_ROW, [self.tenant_id, first, end])
        ]

    def unsealed(self, expected: int, before: tuple[Any, Any]) -> Iterator[tuple[bool, Row]]:
        """Rows that are in no tree, newest first, until `expected` are found: (passed over by the sealer, row)."""
        while expected > 0:
            rows = self.fetch(UNSEALED, [self.tenant_id, *before, min(expected, UNSEALED_BATCH)])
            for behind, *row in rows:
                yield bool(behind), tuple(row)
            if not rows:
                return
            expected -= len(rows)
            before = (rows[-1][2], rows[-1][3])

    def places(self, sealed: int) -> int:
        """How many places the tree has, those included of which the leaf is gone: as far as a checkpoint knows of
        (`sealed`), or as many as there are leaves. A place far beyond both was planted, and is one too many."""
        sql = "SELECT count(*), max(seq) FROM audit_leaves WHERE tenant_id = %s"
        ((there, last),) = self.fetch(sql, [self.tenant_id])
        return max(int(there), min(sealed, int(last) + 1)) if there else 0

    def counts(self) -> tuple[int, int]:
        """(audit rows, sealed places), of one moment."""
        ((rows, places),) = self.fetch(COUNTS, {"t": self.tenant_id})
        return rows, places

    def anchored(self, after: int) -> list[tuple[int, str]]:
        """The checkpoints that the database counts, larger than `after`: (size, hash of the note)."""
        rows = self.fetch(ANCHORED, [self.tenant_id, after])
        return [(size, note_hash(str(note).encode())) for size, note in rows]

    def newest_checkpoint(self) -> int:
        """The largest size of which the database has a checkpoint, 0 without one."""
        ((size,),) = self.fetch(
            "SELECT max(size) FROM audit_checkpoints WHERE tenant_id = %s", [self.tenant_id]
        )
        return int(size or 0)

    def newest_platform_size(self) -> int | None:
        """The platform's checkpoint that took up this tenant's newest."""
        ((size,),) = self.fetch(
            "SELECT max(platform_size) FROM audit_checkpoints WHERE tenant_id = %s", [self.tenant_id]
        )
        return None if size is None else int(size)

    def fetch(self, sql: str, values: Any) -> list[tuple[Any, ...]]:
        return _fetch(self._using, sql, values)

    def _batch(self, first: int, end: int) -> Batch:
        connection = connections[self._using]
        with transaction.atomic(using=self._using), connection.cursor() as cursor:
            cursor.execute(BUILT_INS_FIRST)
            # Not by Django's cursor, which takes in bytes as text only: twice as many, to be put back.
            with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as raw:
                raw.execute(PLACES, [self.tenant_id, first, end], prepare=False, binary=True)
                ((places, ids, sealed),) = raw.fetchall()
        return Batch(first, end, places == end - first, bytes(ids or b""), bytes(sealed or b""))

    def _close(self) -> None:
        connections[self._using].close()
