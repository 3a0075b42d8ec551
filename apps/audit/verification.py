"""Verifying the audit trail: every row's canonical bytes against its columns, and its leaf against the bytes.

Both are computed here, in Python, and not by the database's functions, which whoever changed a row could have
changed too. Walked by key in short transactions, in flat memory.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections, transaction

BATCH = 5000
MAX_NAMED = 1000
NONE = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST = (datetime(1, 1, 1, tzinfo=UTC), uuid.UUID(int=0))

# Row-level security leaves the app role its own tenant; the owner role sees all of them.
TENANTS = "SELECT id FROM tenants ORDER BY id"
SQL = """
SELECT tenant_id, created_at, id, actor, action, target_type, target_id, payload::text, canonical, leaf
FROM audits WHERE tenant_id = %s AND (created_at, id) > (%s, %s)
ORDER BY created_at, id LIMIT %s
"""


@dataclass(frozen=True)
class Mismatch:
    """An audit row that is not what it says: `problem` is "canonical" (differs from the columns) or "leaf"."""

    tenant_id: str
    audit_id: str
    created_at: str
    action: str
    problem: str


@dataclass
class Verification:
    """How many rows were verified, of how many tenants, and what is wrong (the first thousand by name)."""

    rows: int = 0
    wrong: int = 0
    tenants: set[str] = field(default_factory=set)
    named: list[Mismatch] = field(default_factory=list)

    def add(self, mismatch: Mismatch) -> None:
        self.wrong += 1
        if len(self.named) < MAX_NAMED:
            self.named.append(mismatch)


def verify_trail(*, using: str = "default") -> Verification:
    """Verify every audit row that the role of `using` sees: `default` the context's tenant's, `owner` all."""
    result = Verification()
    for row in _rows(using):
        tenant_id, created_at, audit_id, _, action, *_, stored, leaf = row
        result.rows += 1
        result.tenants.add(str(tenant_id))
        stored, leaf = bytes(stored or b""), bytes(leaf or b"")
        problems = []
        if canonical_bytes(row) != stored:
            problems.append("canonical")
        if hashlib.sha256(b"\x00" + stored).digest() != leaf:
            problems.append("leaf")
        for problem in problems:
            result.add(Mismatch(str(tenant_id), str(audit_id), created_at.isoformat(), action, problem))
    return result


def canonical_bytes(row: tuple[Any, ...]) -> bytes:
    """What was hashed when the row was written: each field after its length in four bytes, big-endian.

    `row` begins as SQL above gives it. Text is UTF-8, time int64 microseconds since 2000-01-01 UTC.
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


def _rows(using: str) -> Iterator[tuple[Any, ...]]:
    for (tenant_id,) in _fetch(using, TENANTS, []):
        after: tuple[Any, ...] = _FIRST
        while batch := _fetch(using, SQL, [tenant_id, *after, BATCH]):
            yield from batch
            after = batch[-1][1:3]


def _fetch(using: str, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
