"""The sealer's statements, as its own role."""

from __future__ import annotations

from typing import Any

from django.db import connections

ALIAS = "sealer"


def fetch(sql: str, values: Any = None) -> list[tuple[Any, ...]]:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def execute(sql: str, values: Any = None) -> int:
    """Returns how many rows it changed."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def execute_many(sql: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connections[ALIAS].cursor() as cursor:
            cursor.executemany(sql, rows)


def cut_peaks(peaks: bytes) -> list[bytes]:
    """Stored right edges are 32 bytes for each complete subtree."""
    return [peaks[at : at + 32] for at in range(0, len(peaks), 32)]
