"""The estate into the product's own tables, past row-level security and past the import: what a scan finds there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

import psycopg

from benchmarks import estate

COLUMNS = (
    "id",
    "native_id",
    "provider",
    "type",
    "name",
    "group_name",
    "location",
    "account",
    "tags",
    "status",
)


def load(connection: psycopg.Connection, tenant_id: uuid.UUID, rows: Sequence[estate.Row]) -> None:
    """Rows of `estate.rows` for a tenant, by COPY as a superuser; the statistics are brought up to date."""
    names = f"tenant_id, {', '.join(COLUMNS)}"
    with connection.cursor() as cursor, cursor.copy(f"COPY resources ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([tenant_id, *(json.dumps(row[c]) if c == "tags" else row[c] for c in COLUMNS)])
    names = "tenant_id, resource_id, type, properties"
    with connection.cursor() as cursor, cursor.copy(f"COPY resource_properties ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([tenant_id, row["id"], row["type"], json.dumps(row["properties"])])
    for table in ("resources", "resource_properties"):
        connection.execute(f"VACUUM ANALYZE {table}")


def in_import_order(rows: list[estate.Row], batch: int = 5_000) -> list[estate.Row]:
    """As the inventory import leaves them: by type and id within each batch of the file."""
    ordered: list[estate.Row] = []
    for start in range(0, len(rows), batch):
        ordered += sorted(rows[start : start + batch], key=lambda row: (row["type"], row["id"]))
    return ordered


def make_twin(
    superuser: psycopg.Connection, table: str, twin: str, parents: dict[str, str] | None = None
) -> None:
    """A table like another: columns, defaults, checks, indexes, and the foreign keys, which LIKE leaves out.

    `parents` maps a table that is referred to to the one that the twin is to refer to instead.
    """
    superuser.execute(f"CREATE TABLE {twin} (LIKE {table} INCLUDING ALL)".encode())
    keys = superuser.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
        [table],
    ).fetchall()
    for (key,) in keys:
        for given, instead in (parents or {}).items():
            key = key.replace(f" {given}(", f" {instead}(")
        superuser.execute(f"ALTER TABLE {twin} ADD {key}".encode())
