"""The rows of a trail as one stream, each with the hash of what stands in its columns.

COPY's binary form of a row is its fields, each after its length in four bytes, big-endian: the very bytes that are
hashed when a row is written (rows.canonical_bytes). So the database sends them without putting them together, and
no function of ours has a say in it; payload::text and the types' own send functions are of pg_catalog.
"""

from __future__ import annotations

import hashlib
import select
import struct
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from django.db import OperationalError, connections
from psycopg.pq import ExecStatus

AHEAD = 1 << 16  # rows that are read before their turn and kept: some 15 MB

# By the index (tenant_id, xid): a trail is sealed in the order of (xid, id), and the order within one transaction is
# had here for less than by a sort in the database. What is put in is an integer and a UUID.
ROWS = """
COPY (
    SELECT '\\x00'::bytea, a.id, a.tenant_id, a.created_at, a.actor, a.action, a.target_type, a.target_id,
           a.payload::text, '\\x00'::bytea || a.canonical || a.leaf
    FROM audits a WHERE a.tenant_id = '{tenant_id}' AND a.xid >= '{xid}' ORDER BY a.xid
) TO STDOUT (FORMAT BINARY)
"""
# libpq reads as much at a time as its buffer has room for, 16 kB, and the buffer grows by one message that is larger.
# Rows then gather for a moment: else the two processes wait for each other at each few of them.
_ROOM = b"SELECT pg_catalog.repeat(' ', 1000000)"
_GATHER = 0.0001  # seconds
_HEADER = 19  # before the first row: signature, flags, the length of an extension that no version has
_TRAILER = 2


class RowStream:
    """The rows of one tenant from transaction `xid` on, as the role of `using` sees them. A context manager.

    It has a connection and a transaction of its own for as long as it lasts; memory is flat, whatever the trail's
    length. Errors of the database come as Django's.
    """

    def __init__(self, tenant_id: uuid.UUID, using: str, before: str, xid: int = 0) -> None:
        """`before` is the statement with which the transaction begins."""
        self._before = before
        self._statement = ROWS.format(tenant_id=uuid.UUID(str(tenant_id)), xid=int(xid))
        # Of a copy: what else is done by this thread meanwhile needs the alias' own connection.
        self._connection = connections[using].copy()
        self._receive: Callable[[int], tuple[int, memoryview]] | None = None
        self._header = _HEADER
        self._ready = select.poll()
        self._ahead: dict[bytes, bytes] = {}

    def __enter__(self) -> Self:
        try:
            self._connection.set_autocommit(False)
            with self._connection.cursor() as cursor:
                cursor.execute(self._before)
            self._pgconn: Any = self._connection.connection.pgconn
            _expect(self._pgconn.exec_(_ROOM), ExecStatus.TUPLES_OK)
            _expect(self._pgconn.exec_(self._statement.encode()), ExecStatus.COPY_OUT)
        except BaseException:
            self._connection.close()
            raise
        self._receive = self._pgconn.get_copy_data
        self._ready.register(self._pgconn.socket, select.POLLIN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def leaves(self, ids: bytes) -> list[bytes] | None:
        """The leaf hashes of the rows with these ids (16 bytes each, end to end), in their order.

        None where a row is not there, or is not whole: its columns are not its canonical bytes, or its leaf is not
        their hash. Rows are looked for as far as AHEAD rows beyond those that were asked for.
        """
        number, ahead = len(ids) // 16, self._ahead
        if not ahead:
            names, found = self._read(number)
            if b"".join(names) == ids:
                return found
            ahead.update(zip(names, found, strict=True))
        wanted = struct.unpack("16s" * number, ids)
        while (leaves := _of(ahead, wanted)) is None and self._receive and len(ahead) < number + AHEAD:
            ahead.update(zip(*self._read(max(number - len(ahead), 1024)), strict=True))
        for name in wanted:
            ahead.pop(name, None)
        return leaves

    def is_at_its_end(self) -> bool:
        """No row is left that was not asked for. (One that is looked at for this is not to be had any more.)"""
        return not self._ahead and self._read(1) == ([], []) and self._receive is None

    def _read(self, number: int) -> tuple[list[bytes], list[bytes]]:
        """(ids, leaves) of those of the next `number` rows that are whole.

        By libpq itself: half the time of psycopg's own way, which goes through a coroutine for each row.
        """
        ids: list[bytes] = []
        leaves: list[bytes] = []
        sha256, receive, header = hashlib.sha256, self._receive, self._header
        with self._connection.wrap_database_errors:
            while number and receive:
                size, data = receive(1)
                if size <= _TRAILER:
                    receive = self._wait(size)
                    continue
                number -= 1
                row = data.tobytes()
                if header:
                    row, header = row[header:], 0
                # Number of fields, a length, 0x00, columns, a length, 0x00, canonical bytes, leaf. Where columns and
                # canonical bytes are of unequal length the cut is beside the columns' end, and what was cut is not
                # what was hashed: no row's bytes are the beginning of another's.
                end = len(row) - 30 >> 1
                entry = row[6:end]
                leaf = sha256(entry).digest()
                if row[end + 4 :] == entry + leaf:
                    ids.append(row[11:27])
                    leaves.append(leaf)
        self._header = header
        return ids, leaves

    def _wait(self, size: int) -> Callable[[int], tuple[int, memoryview]] | None:
        """After no row but `size`: 0 where none has come yet, -1 where none comes any more."""
        if size == 0:
            if not self._ready.poll(0):
                self._ready.poll()
                time.sleep(_GATHER)
            self._pgconn.consume_input()
        elif size < 0:
            _expect(self._pgconn.get_result(), ExecStatus.COMMAND_OK)
            self._receive = None
        return self._receive


def _of(leaves: dict[bytes, bytes], names: tuple[bytes, ...]) -> list[bytes] | None:
    try:
        return [leaves[name] for name in names]
    except KeyError:
        return None


def _expect(result: Any, status: ExecStatus) -> None:
    if result is None or result.status != status:
        raise OperationalError(result.get_error_message() if result else "the database ended the stream")
