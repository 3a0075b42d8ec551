"""Audit rows one by one: the canonical bytes against the columns, the leaf against the bytes.

Both are computed here, in Python, and not by the database's functions, which whoever changed a row could have
changed too.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .findings import Findings

NONE = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

COLUMNS = (
    "a.tenant_id, a.created_at, a.id, a.actor, a.action, a.target_type, a.target_id, a.payload::text,"
    " a.canonical, a.leaf"
)
Row = tuple[Any, ...]


def canonical_bytes(row: Row) -> bytes:
    """What was hashed when the row was written: each field after its length in four bytes, big-endian.

    `row` begins as COLUMNS. Text is UTF-8, time int64 microseconds since 2000-01-01 UTC.
    """
    tenant_id, created_at, audit_id, actor, action, target_type, target_id, payload, *_ = row
    microseconds = (created_at - _EPOCH) // timedelta(microseconds=1)
    fields = (
        audit_id.bytes,
        tenant_id.bytes,
        microseconds.to_bytes(8, "big", signed=True),
        *(
            None if text is None else text.encode()
            for text in (actor, action, target_type, target_id, payload)
        ),
    )
    return b"".join(NONE if raw is None else len(raw).to_bytes(4, "big") + raw for raw in fields)


def check_row(row: Row, where: str, found: Findings) -> None:
    """Name what is wrong with a row by itself."""
    tenant_id, created_at, audit_id, _, action, *_, stored, leaf = row
    stored, leaf = bytes(stored or b""), bytes(leaf or b"")
    where = f"{where} ({created_at.isoformat()}, {action})"
    if canonical_bytes(row) != stored:
        what = "was edited: its columns are not what was hashed when it was written"
        found.add("row-edited", tenant_id, where, what, audit_id)
    if hashlib.sha256(b"\x00" + stored).digest() != leaf:
        what = "its leaf is not the hash of its canonical bytes"
        found.add("leaf-wrong", tenant_id, where, what, audit_id)


def row_name(audit_id: uuid.UUID, seq: int | None = None) -> str:
    return f"row {audit_id}" + ("" if seq is None else f", place {seq}")


def runs(places: list[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, last) of each unbroken run."""
    start = previous = None
    for place in places:
        if start is None:
            start = place
        elif place != (previous or 0) + 1:
            yield start, previous or start
            start = place
        previous = place
    if start is not None and previous is not None:
        yield start, previous
