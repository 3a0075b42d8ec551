"""The two inventory tables as the rules read them, and a way to fill and ask them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from apps.rules.compile import CompiledRule
from apps.rules.evaluate import Resource
from apps.rules.sql.query import hits_query
from apps.rules.text import json_text

TENANT = UUID("00000000-0000-4000-8000-000000000001")
OTHER_TENANT = UUID("00000000-0000-4000-8000-000000000002")

SCHEMA = """
create table resources (
  id text primary key, tenant_id uuid not null, native_id text, provider text not null, type text not null,
  name text not null, group_name text, location text, account text, tags jsonb not null default '{}', status text,
  changed_xid xid8 not null default pg_current_xact_id());
create table resource_properties (
  resource_id text primary key, tenant_id uuid not null, type text not null,
  properties jsonb not null default '{}' check (jsonb_typeof(properties) = 'object'),
  changed_xid xid8 not null default pg_current_xact_id());
create index on resources (tenant_id, provider, type);
"""

_COLUMNS = [
    "id",
    "tenant_id",
    "native_id",
    "provider",
    "type",
    "name",
    "group_name",
    "location",
    "account",
    "tags",
    "status",
]


def create(connection: psycopg.Connection, schema: str) -> None:
    """The tables in a schema of their own, first on the search path of the connection."""
    connection.execute(f'create schema "{schema}"')
    connection.execute(f'set search_path to "{schema}", public')
    connection.execute(SCHEMA)


def fill(connection: psycopg.Connection, resources: Iterable[Resource], tenant: UUID = TENANT) -> None:
    """The resources as rows. Columns that must not be null get a stand-in where a resource has none."""
    rows = list(resources)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy resources ({', '.join(_COLUMNS)}) from stdin") as copy,
    ):
        for row in rows:
            values = [row.id, tenant, row.native_id, row.provider or "azure", row.type, row.name or "", row.group_name,
                      row.location, row.account, dumps(row.tags), row.status]  # fmt: skip
            copy.write_row(values)
    with (
        connection.cursor() as cursor,
        cursor.copy("copy resource_properties (resource_id, tenant_id, type, properties) from stdin") as copy,
    ):
        for row in rows:
            copy.write_row([row.id, tenant, row.type, dumps(row.properties)])


def empty(connection: psycopg.Connection) -> None:
    connection.execute("truncate resources, resource_properties")


def ask(
    connection: psycopg.Connection, policies: Sequence[tuple[str, CompiledRule]], **rows: Any
) -> dict[tuple[str, str], tuple[str, str]]:
    """(policy, resource) → (outcome, reason) of one statement."""
    query = hits_query(policies, tenant_id=rows.pop("tenant_id", TENANT), **rows)
    found = connection.execute(query.text, query.params).fetchall()
    answers = {(policy, resource): (outcome, reason) for resource, policy, outcome, reason in found}
    assert len(answers) == len(found)
    return answers


def dumps(value: Any) -> str:
    """JSON with exact numbers."""
    return json_text(value if not isinstance(value, Mapping) else dict(value))


def loads(text: str) -> Any:
    """JSON as jsonb keeps it: exact numbers."""
    return json.loads(text, parse_float=Decimal)
