"""Partitions by quarter: made ahead, and what is wrong with those that there are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection, connections

from .tables import TABLES

# The quarters after the current one for which a partition is there before anything can fall into them.
AHEAD = 2


def quarters_ahead(today: dt.date) -> list[dt.date]:
    """The first day of the current quarter and of the next ones."""
    first = dt.date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    months = [first.month - 1 + 3 * n for n in range(AHEAD + 1)]
    return [dt.date(first.year + month // 12, month % 12 + 1, 1) for month in months]


def partition_name(table: str, day: dt.date) -> str:
    """As archive_partition names it."""
    return f"{table}_{day.year}q{(day.month + 2) // 3}"


def make_ahead(using: str = "default") -> list[str]:
    """Have the partitions of this quarter and of the next ones, in the open transaction; returns their names."""
    today = dt.datetime.now(dt.UTC).date()
    names: list[str] = []
    with connections[using].cursor() as cursor:
        for table in TABLES:
            for quarter in quarters_ahead(today):
                moment = dt.datetime.combine(quarter, dt.time.min, dt.UTC)
                cursor.execute("SELECT archive_partition(%s, %s)", [table.name, moment])
                names.append(cursor.fetchone()[0])
    return names


def prepare_after_migrate(using: str, **_: Any) -> None:
    """As the owner, once the parents' policies are there: partitions ahead, and each partition's policies."""
    if connections[using].vendor != "postgresql":
        return
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('archive_partition(text, timestamptz)')")
        if cursor.fetchone() == (None,):
            return
    make_ahead(using)
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT archive_protect(c.relname, p.relname) {_PARTITIONS}", _parents())


_PARTITIONS = """
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relnamespace = current_schema()::regnamespace AND p.relname = ANY (%(parents)s)
"""


def _parents() -> dict[str, Any]:
    return {"parents": [table.name for table in TABLES]}


@dataclass(frozen=True)
class Partition:
    """A quarter of a history table; `problem` says what is wrong with it, empty where nothing is."""

    name: str
    table: str
    bounds: str
    bytes: int
    problem: str


# Whoever reads a partition by itself, past its parent, must find nothing of another tenant's.
_STATE = f"""
SELECT c.relname, p.relname, pg_get_expr(c.relpartbound, c.oid), pg_total_relation_size(c.oid),
       CASE WHEN NOT (c.relrowsecurity AND c.relforcerowsecurity) THEN 'row-level security is not enabled and forced'
            WHEN c.relacl IS NOT NULL AND EXISTS (
                SELECT 1 FROM aclexplode(c.relacl) x WHERE x.grantee <> c.relowner) THEN 'somebody is granted it'
            WHEN i.inhdetachpending THEN 'it is being detached' ELSE '' END
{_PARTITIONS}
ORDER BY p.relname, c.relname
"""  # noqa: S608


def partitions() -> list[Partition]:
    with connection.cursor() as cursor:
        cursor.execute(_STATE, _parents())
        return [Partition(*row) for row in cursor.fetchall()]


def partition_problems() -> list[str]:
    """In words, for the health page: missing quarters, and partitions that are not as they must be."""
    found = partitions()
    there = {partition.name for partition in found}
    wrong = [f"{partition.name}: {partition.problem}" for partition in found if partition.problem]
    for table in TABLES:
        for quarter in quarters_ahead(dt.datetime.now(dt.UTC).date()):
            name = partition_name(table.name, quarter)
            if name not in there:
                wrong.append(f"{name} is missing")
    return wrong
