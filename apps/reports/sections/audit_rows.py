"""Audit rows of the period, each with the bytes that were hashed when it was written, and their leaf hash."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime

from .section import Row, Section

# payload::text is the very text that was hashed; parsing and printing it again could change a number.
SQL = """
SELECT created_at AS key_at, id AS key_id, id, created_at, actor, action, target_type, target_id,
       payload::text AS payload, canonical, leaf
FROM audits
WHERE (created_at, id) > (%(after_0)s, %(after_1)s) AND created_at >= %(start)s AND created_at < %(cut)s
ORDER BY created_at, id LIMIT %(size)s
"""


def _complete(row: Row) -> None:
    row["canonical"] = base64.b64encode(row["canonical"]).decode()
    row["leaf"] = bytes(row["leaf"]).hex()


AUDIT = Section(
    name="audit",
    sql=SQL,
    key=("key_at", "key_id"),
    first=(datetime(1, 1, 1, tzinfo=UTC), uuid.UUID(int=0)),
    complete=_complete,
    columns=("id", "created_at", "actor", "action", "target_type", "target_id", "payload", "leaf"),
)
