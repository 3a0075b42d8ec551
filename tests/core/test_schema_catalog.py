"""The specification's DDL against pg_catalog: every table, column, default, check, index and foreign key.

The specification is run verbatim into a schema of its own, and each of its objects is looked for in ours by
definition. It runs on PostgreSQL and on TimescaleDB (`make test-timescale`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, connections

from apps.core.db.access import VIEWS, Privileges

pytestmark = pytest.mark.django_db

SPECIFIED = """
create table tenants (
  id uuid primary key, name text not null, created_at timestamptz not null default now());
create table users (
  id uuid primary key, tenant_id uuid not null references tenants(id) on delete cascade, upn text not null,
  role text not null check (role in ('viewer','operator','approver','admin')),
  created_at timestamptz not null default now(), unique(tenant_id, upn));
create table resources (
  id text primary key, tenant_id uuid not null references tenants(id) on delete cascade,
  provider text not null check (provider in ('azure','aws','gcp','ibm')), type text not null, name text not null,
  group_name text, location text, tags jsonb not null default '{}', status text,
  created_at timestamptz not null default now(), updated_at timestamptz not null default now());
create index on resources(tenant_id, updated_at desc);
create index on resources(tenant_id, provider, type);
create index resources_tags_gin on resources using gin(tags);
create table policies (
  id text primary key, tenant_id uuid not null references tenants(id) on delete cascade, name text not null,
  provider text not null, type text not null, effect text, scope text, status text not null,
  metadata jsonb not null default '{}', created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());
create index on policies(tenant_id, status);
create table violations (
  id uuid primary key, tenant_id uuid not null references tenants(id) on delete cascade,
  policy_id text references policies(id) on delete set null,
  resource_id text references resources(id) on delete cascade,
  severity text not null check (severity in ('low','medium','high','critical')), reason text not null,
  first_seen timestamptz not null default now(), last_seen timestamptz not null default now(),
  status text not null default 'open' check (status in ('open','suppressed','fixed')));
create index on violations(tenant_id, status, severity);
create index on violations(tenant_id, resource_id);
create table recommendations (
  id uuid primary key, tenant_id uuid not null references tenants(id) on delete cascade, kind text not null,
  severity text not null, title text not null, description text, savings numeric, risk_reduction numeric,
  confidence numeric, created_at timestamptz not null default now());
create index on recommendations(tenant_id, kind, severity);
create table actions (
  id uuid primary key, tenant_id uuid not null references tenants(id) on delete cascade, type text not null,
  resource_id text, requested_by uuid references users(id),
  status text not null check (status in
    ('queued','preflight','in_progress','verifying','completed','failed','rolled_back')),
  params jsonb not null default '{}', result jsonb, created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());
create index on actions(tenant_id, status, updated_at desc);
create table action_events (
  id bigserial primary key, action_id uuid not null references actions(id) on delete cascade,
  ts timestamptz not null default now(), message text not null);
create index on action_events(action_id, ts);
create table exceptions (
  id uuid primary key, tenant_id uuid not null references tenants(id) on delete cascade,
  policy_id text references policies(id) on delete cascade,
  resource_id text references resources(id) on delete cascade, reason text not null, expires_at timestamptz,
  created_by uuid references users(id),
  status text not null default 'approved' check (status in ('pending','approved','rejected','expired')),
  created_at timestamptz not null default now());
create index on exceptions(tenant_id, status, expires_at);
create table audits (
  id uuid primary key, tenant_id uuid not null references tenants(id) on delete cascade, actor text not null,
  action text not null, target_id text, target_type text, payload jsonb not null default '{}',
  created_at timestamptz not null default now());
create index on audits(tenant_id, created_at desc);
create table cost_timeseries (
  tenant_id uuid not null, service text not null, resource_id text, day date not null, amount numeric not null,
  primary key (tenant_id, service, day));
create index on cost_timeseries(tenant_id, service, day desc);
create table schema_version (version text primary key, applied_at timestamptz default now());
"""

COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p')
"""
CONSTRAINTS = """
    SELECT c.conrelid::regclass::text, pg_get_constraintdef(c.oid) FROM pg_constraint c
    WHERE c.connamespace = %s::regnamespace AND c.contype IN ('p', 'u', 'f', 'c')
"""
INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = %s"


def columns(cursor: Any, schema: str) -> set[tuple[Any, ...]]:
    cursor.execute(COLUMNS, [schema])
    return {tuple(_plain(value, schema) for value in row) for row in cursor.fetchall()}


def constraints(cursor: Any, schema: str) -> set[tuple[str, str]]:
    cursor.execute(CONSTRAINTS, [schema])
    return {(_plain(table, schema), _plain(definition, schema)) for table, definition in cursor.fetchall()}


def indexes(cursor: Any, schema: str) -> set[tuple[str, str]]:
    cursor.execute(INDEXES, [schema])
    return {(table, _plain(re.sub(r"INDEX \S+ ON", "INDEX ON", d), schema)) for table, d in cursor.fetchall()}


def _plain(value: Any, schema: str) -> Any:
    """Without the schema's name, and without what only says where a name was looked up."""
    if not isinstance(value, str):
        return value
    return value.replace(f"{schema}.", "").replace("CHECK ((", "CHECK (").replace("))", ")")


@pytest.fixture
def owner(db: None) -> Iterator[psycopg.Cursor[Any]]:
    """The specification's own schema beside ours, rolled back at the end."""
    to = connections["owner"].settings_dict
    with psycopg.connect(
        host=to["HOST"], port=to["PORT"] or 5432, user=to["USER"], password=to["PASSWORD"], dbname=to["NAME"]
    ) as opened:
        cursor = opened.cursor()
        cursor.execute("CREATE SCHEMA specified")
        cursor.execute("SET LOCAL search_path = specified")
        cursor.execute(SPECIFIED)
        # What pg_get_*def prints depends on the path: with both away from it, every name is qualified.
        cursor.execute("SET LOCAL search_path = pg_catalog")
        yield cursor
        opened.rollback()


def test_every_specified_column_has_its_type_nullability_and_default(owner: Any) -> None:
    specified = columns(owner, "specified")
    assert len(specified) == 87
    assert specified - columns(owner, "public") == set()


def test_every_specified_key_check_and_foreign_key_stands_in_the_database(owner: Any) -> None:
    specified = constraints(owner, "specified")
    assert len(specified) == 34
    assert specified - constraints(owner, "public") == set()


def test_every_specified_index_is_there_by_definition(owner: Any) -> None:
    specified = indexes(owner, "specified")
    assert len(specified) == 25
    assert specified - indexes(owner, "public") == set()


def test_what_we_added_to_a_specified_table_has_a_default_where_it_is_not_null(owner: Any) -> None:
    specified = {(table, column) for table, column, *_ in columns(owner, "specified")}
    tables = {table for table, _ in specified}
    bare = {
        (table, column)
        for table, column, _, not_null, default in columns(owner, "public")
        if table in tables and (table, column) not in specified and not_null and default is None
    }
    assert bare == set()


def test_the_schema_version_is_semantic_and_recorded(owner: Any) -> None:
    owner.execute("SELECT version FROM public.schema_version ORDER BY applied_at")
    versions = [row[0] for row in owner.fetchall()]
    assert versions[0] == "1.0.0"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


def test_every_tenant_table_has_row_level_security_enabled_and_forced_and_its_policies(owner: Any) -> None:
    app, own, sealer = (settings.DATABASES[alias]["USER"] for alias in ("default", "owner", "sealer"))
    models = [m for m in apps.get_models() if hasattr(m, "tenant_column") and m._meta.managed]
    expected = {
        m._meta.db_table: [
            f"owner_access {own}",
            # Where no sealer's role is told, the owner seals by the owner's policy.
            *([f"sealer_access {sealer}"] if hasattr(m, "sealer_privileges") and sealer != own else []),
            f"tenant_isolation {app}",
        ]
        for m in models
    }
    owner.execute(
        """
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
               array_agg(p.polname || ' ' || (SELECT rolname FROM pg_roles WHERE oid = p.polroles[1])
                         ORDER BY p.polname)
        FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace GROUP BY 1, 2
        """
    )
    found = {table: (forced, policies) for table, forced, policies in owner.fetchall()}
    owner.execute(
        "SELECT c.relname, p.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " JOIN pg_class p ON p.oid = i.inhparent"
        " WHERE p.relkind = 'p' AND c.relkind = 'r' AND p.relnamespace = 'public'::regnamespace"
    )
    partitions = dict(owner.fetchall())
    assert set(partitions.values()) == {"violations_history", "action_events_history"}
    expected |= {partition: expected[parent] for partition, parent in partitions.items()}
    assert found == {table: (True, policies) for table, policies in expected.items()}


def test_the_app_role_holds_the_declared_grants_and_no_others(owner: Any) -> None:
    owner.execute(
        """
        SELECT c.relname, array_agg(DISTINCT x.privilege_type ORDER BY x.privilege_type)
        FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid,
             LATERAL (SELECT * FROM aclexplode(c.relacl) UNION ALL SELECT * FROM aclexplode(a.attacl)) x
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND x.grantee IN (0, %s::regrole) GROUP BY 1
        """,
        [f'"{settings.DATABASES["default"]["USER"]}"'],
    )
    held = dict(owner.fetchall())
    untouchable = ("tenants", "users", "policies", "resources", "actions", "exceptions", "audits")
    assert all("DELETE" not in held[table] and "TRUNCATE" not in held[table] for table in untouchable)
    assert held["audits"] == ["INSERT", "SELECT"]
    assert held["violation_events"] == ["SELECT"]
    assert "django_admin_log" not in held
    declared = {
        m._meta.db_table: sorted(m.app_privileges.verbs)
        for m in apps.get_models()
        if isinstance(getattr(m, "app_privileges", None), Privileges) and m.app_privileges.verbs
    }
    # Of a view a tenant reads through; no partition is granted to anybody.
    declared |= {view: ["SELECT"] for view in VIEWS}
    assert {table: held[table] for table in declared} == declared
    assert not [table for table in held if re.search(r"_history_\d{4}q\d$", table)]


@pytest.mark.timescale
def test_the_cost_series_is_a_hypertable_where_the_extension_is_there(owner: Any) -> None:
    owner.execute("SELECT hypertable_name FROM timescaledb_information.hypertables")
    assert ("cost_timeseries",) in owner.fetchall()


def test_the_suite_connects_as_the_app_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (settings.DATABASES["default"]["USER"], False, False)
