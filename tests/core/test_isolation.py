"""As the app role, in raw SQL: no statement of any kind reads, changes or points at another tenant's rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connections
from psycopg import errors, sql
from psycopg.types.json import Jsonb

pytestmark = pytest.mark.django_db

# Columns of one row for each tenant table; {t} is a short name of the tenant, ids are made from it.
ROWS: dict[str, dict[str, Any]] = {
    "users": {"id": "uuid:user", "upn": "ada", "role": "viewer"},
    "sessions": {"session_key": "{t}-key", "session_data": "", "expire_date": "now"},
    "api_tokens": {
        "id": "uuid:token",
        "user_id": "uuid:user",
        "name": "n",
        "secret_sha256": "x",
        "scopes": ["read"],
        "expires_at": "now",
    },
    "idempotency_keys": {"id": "uuid:key", "user_id": "uuid:user", "key": "k", "request_sha256": "x"},
    "cloud_credentials": {"id": "uuid:credential", "provider": "aws", "kind": "environment", "pattern": "X"},
    "cloud_accounts": {
        "id": "uuid:account",
        "provider": "aws",
        "account": "123456789012",
        "credential_id": "uuid:credential",
        "reference": "environment:X",
        "external_id": "e",
    },
    "discovery_scopes": {
        "id": "uuid:scope",
        "account_id": "uuid:account",
        "job_id": "uuid:job",
        "type": "aws.s3",
        "region": "global",
    },
    "discovery_seen": {"scope_id": "uuid:scope", "resource_id": "{t}-resource"},
    "jobs": {"id": "uuid:job", "type": "t", "queue": "jobs", "idempotency_key": "k"},
    "audits": {"id": "uuid:audit", "actor": "system:test", "action": "a.b.c"},
    "audit_chains": {"id": "uuid:chain"},
    "audit_leaves": {"seq": 0, "audit_id": "uuid:audit", "leaf": b"x"},
    "audit_nodes": {"level": 8, "position": 0, "hash": b"x"},
    "audit_checkpoints": {"size": 1, "root": b"x", "note": "n", "object_key": "k"},
    "resources": {"id": "{t}-resource", "provider": "aws", "type": "aws.s3", "name": "n"},
    "resource_properties": {"resource_id": "{t}-resource", "properties": Jsonb({})},
    "policies": {"id": "{t}-policy", "name": "n", "provider": "aws", "type": "aws.s3", "status": "active"},
    "policy_versions": {
        "id": "uuid:version",
        "policy_id": "{t}-policy",
        "number": 1,
        "definition": Jsonb({}),
        "sha256": "x",
    },
    "frameworks": {"id": "uuid:framework", "key": "k", "title": "t"},
    "controls": {"id": "uuid:control", "framework_id": "uuid:framework", "code": "c-1", "label": "C-1"},
    "policy_controls": {"id": "uuid:mapping", "control_id": "uuid:control", "policy_id": "{t}-policy"},
    "import_runs": {"id": "uuid:import", "kind": "inventory", "source": "s"},
    "import_refusals": {"run_id": "uuid:import", "reason": "r"},
    "violations": {
        "id": "uuid:violation",
        "policy_id": "{t}-policy",
        "resource_id": "{t}-resource",
        "severity": "low",
        "reason": "r",
    },
    "recommendations": {"id": "uuid:recommendation", "kind": "security", "severity": "low", "title": "t"},
    "exceptions": {
        "id": "uuid:exception",
        "policy_id": "{t}-policy",
        "reason": "r",
        "status": "pending",
        "created_by": "uuid:user",
    },
    "scan_runs": {"id": "uuid:scan"},
    "policy_evaluations": {"scan_id": "uuid:scan", "policy_id": "{t}-policy", "outcome": "judged"},
    "evaluation_errors": {"scan_id": "uuid:scan", "policy_id": "{t}-policy", "message": "m"},
    "actions": {"id": "uuid:action", "type": "t", "status": "queued", "requested_by": "uuid:user"},
    "action_events": {"action_id": "uuid:action", "message": "m"},
    "action_targets": {"action_id": "uuid:action", "ordinal": 1, "resource_id": "{t}-resource"},
    "action_approvals": {
        "id": "uuid:approval",
        "action_id": "uuid:action",
        "requested_by": "uuid:user",
        "decided_by": "uuid:approver",
        "plan_revision": 1,
        "plan_sha256": "x",
        "decision": "approved",
    },
    "action_rules": {"id": "uuid:rule", "kind": "k"},
    "cost_timeseries": {"service": "s", "day": "today", "amount": 1},
    "notices": {"id": "uuid:notice", "code": "jobs.failed", "title": "t"},
    "webhook_endpoints": {"id": "uuid:endpoint", "name": "n", "url": "https://example.org/"},
    "notice_deliveries": {
        "id": "uuid:delivery",
        "notice_id": "uuid:notice",
        "channel": "email",
        "user_id": "uuid:user",
        "address": "a@example.org",
    },
    "notice_attempts": {"delivery_id": "uuid:delivery"},
    "notice_mutes": {"id": "uuid:mute", "user_id": "uuid:user", "family": "jobs"},
    "cost_lines": {
        "line_key": "uuid:line",
        "day": "today",
        "provider": "aws",
        "billing_account_id": "b",
        "billing_period_start": "today",
        "charge_period_start": "now",
        "service_name": "s",
        "billed_cost": 1,
        "billing_currency": "USD",
    },
    "cost_periods": {
        "id": "uuid:period",
        "provider": "aws",
        "billing_account_id": "b",
        "billing_period_start": "today",
    },
    "cost_settings": {"id": "uuid:settings"},
    "cost_rollups": {"day": "today", "currency": "USD", "provider": "aws", "service": "s"},
    "cost_tag_rollups": {"day": "today", "currency": "USD", "key": "k", "service": "s"},
    "cost_anomalies": {
        "id": "uuid:anomaly",
        "service": "s",
        "first_day": "today",
        "last_day": "today",
        "expected": 1,
        "actual": 2,
        "impact": 1,
    },
    "cost_anomaly_events": {"anomaly_id": "uuid:anomaly", "to_status": "open"},
    "cost_budgets": {"id": "uuid:budget", "name": "n", "amount": 1},
    "cost_budget_alerts": {
        "id": "uuid:alert",
        "budget_id": "uuid:budget",
        "period_start": "today",
        "threshold": 80,
        "amount": 1,
    },
    "cost_unit_metrics": {"metric": "orders", "day": "today", "quantity": 1},
    "reports": {"id": "uuid:report", "period_from": "today", "period_to": "today"},
    "legal_holds": {"id": "uuid:hold", "reason": "r", "placed_by": "system:x"},
    "violations_history": {
        "id": "uuid:archived",
        "severity": "low",
        "severity_rank": 1,
        "reason": "r",
        "first_seen": "now",
        "last_seen": "now",
        "source": "policy",
        "closed_at": "now",
        "segment_id": "uuid:segment",
    },
    "action_events_history": {
        "id": 1,
        "action_id": "uuid:action-archived",
        "ts": "now",
        "message": "m",
        "segment_id": "uuid:segment",
    },
}
# Written by triggers of `violations`, `exceptions` and `policies`.
BY_TRIGGER = {"violation_events", "violation_counters", "posture_days", "exception_events", "policy_states"}
# Written by the owner's or the sealer's role alone.
BY_OWNER = {
    "cloud_credentials",
    "audit_chains",
    "audit_leaves",
    "audit_nodes",
    "audit_checkpoints",
    "violations_history",
    "action_events_history",
}
# With the reader's rights over two tables each: nothing is written to them.
VIEWS = {"violation_records", "action_event_records"}
NAMESPACE = uuid.UUID("6f1c9a0e-3f57-4a39-9a38-1d2f0c8b7a55")


def value(raw: Any, tenant: str) -> Any:
    if not isinstance(raw, str):
        return raw
    if raw.startswith("uuid:"):
        return uuid.uuid5(NAMESPACE, f"{tenant}{raw}")
    return raw.replace("{t}", tenant)


def insert(cursor: Any, table: str, tenant: str, tenant_id: uuid.UUID, **override: Any) -> None:
    row = {"tenant_id": tenant_id} | {k: value(v, tenant) for k, v in ROWS[table].items()} | override
    cursor.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        ),
        list(row.values()),
    )


def tenant_tables() -> set[str]:
    return {m._meta.db_table for m in apps.get_models() if hasattr(m, "tenant_column")}


@contextmanager
def connected(alias: str) -> Iterator[psycopg.Connection[Any]]:
    to = connections["owner"].settings_dict | {
        key: connections[alias].settings_dict[key] for key in ("USER", "PASSWORD")
    }
    with psycopg.connect(
        host=to["HOST"], port=to["PORT"] or 5432, user=to["USER"], password=to["PASSWORD"], dbname=to["NAME"]
    ) as opened:
        yield opened


def _plan_and_approver(owner: Any, name: str, tenant_id: uuid.UUID) -> None:
    """An approval needs a plan that waits, and an approver in whose name the transaction is."""
    action, approver = value("uuid:action", name), value("uuid:approver", name)
    insert(owner, "users", name, tenant_id, id=approver, upn="anton", role="approver")
    owner.execute("UPDATE actions SET status = 'preflight' WHERE id = %s", [action])
    owner.execute(
        "UPDATE actions SET plan = '{}', plan_sha256 = 'x', plan_revision = 1,"
        """ params = '{"requires_approval": true}' WHERE id = %s""",
        [action],
    )
    owner.execute("SELECT set_config('rls.user_id', %s, true)", [str(approver)])


@pytest.fixture(scope="module")
def estates(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, uuid.UUID]]:
    """Tenants a and b with a row in every table, committed by the owner; taken away at the end."""
    ids = {name: uuid.uuid4() for name in ("a", "b")}
    with django_db_blocker.unblock(), connected("owner") as owner:
        for name, tenant_id in ids.items():
            owner.execute("INSERT INTO tenants (id, name) VALUES (%s, %s)", [tenant_id, name])
            for table in ROWS:
                if table == "action_approvals":
                    _plan_and_approver(owner, name, tenant_id)
                insert(owner, table, name, tenant_id)
                owner.execute("SELECT set_config('rls.user_id', '', true)")
        owner.commit()
        yield ids
        owner.execute("DELETE FROM tenants WHERE id = ANY(%s)", [list(ids.values())])
        owner.execute("DELETE FROM cost_timeseries WHERE tenant_id = ANY(%s)", [list(ids.values())])
        owner.commit()


@pytest.fixture
def app(estates: dict[str, uuid.UUID]) -> Iterator[psycopg.Connection[Any]]:
    with connected("default") as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def as_a(app: psycopg.Connection[Any], estates: dict[str, uuid.UUID]) -> psycopg.Connection[Any]:
    app.execute("SELECT set_config('rls.tenant_id', %s, true)", [str(estates["a"])])
    return app


def count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else -1


def column_of(table: str) -> str:
    return "id" if table == "tenants" else "tenant_id"


def test_this_module_knows_every_tenant_table() -> None:
    assert set(ROWS) | BY_TRIGGER | VIEWS | {"tenants"} == tenant_tables()


@pytest.mark.parametrize("table", sorted([*ROWS, *BY_TRIGGER, *VIEWS, "tenants"]))
def test_without_a_context_there_are_no_rows_and_no_error(app: Any, table: str) -> None:
    assert count(app, table) == 0


@pytest.mark.parametrize("table", sorted([*ROWS, *BY_TRIGGER, *VIEWS, "tenants"]))
def test_a_tenant_sees_its_own_rows_alone(as_a: Any, estates: Any, table: str) -> None:
    column = sql.Identifier(column_of(table))
    seen = as_a.execute(
        sql.SQL("SELECT DISTINCT {} FROM {}").format(column, sql.Identifier(table))
    ).fetchall()
    assert seen == [(estates["a"],)]


@pytest.mark.parametrize("table", sorted(ROWS))
def test_a_row_of_another_tenant_can_not_be_inserted(as_a: Any, estates: Any, table: str) -> None:
    refusal = "permission denied" if table in BY_OWNER else "row-level security"
    with pytest.raises(errors.InsufficientPrivilege, match=refusal):
        insert(as_a, table, "fresh", estates["b"])


@pytest.mark.parametrize("table", sorted([*ROWS, *BY_TRIGGER, "tenants"]))
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
def test_no_statement_changes_another_tenants_rows(as_a: Any, estates: Any, table: str, verb: str) -> None:
    name, column = sql.Identifier(table), sql.Identifier(column_of(table))
    statement = {
        "UPDATE": sql.SQL("UPDATE {t} SET {c} = {c} WHERE {c} = %(b)s"),
        "DELETE": sql.SQL("DELETE FROM {t} WHERE {c} = %(b)s"),
        "TRUNCATE": sql.SQL("TRUNCATE {t} CASCADE"),
    }[verb].format(t=name, c=column)
    try:
        changed = as_a.execute(statement, {"b": estates["b"]} if verb != "TRUNCATE" else None).rowcount
    except errors.InsufficientPrivilege:
        return  # refused outright by the grants
    assert verb != "TRUNCATE"
    assert changed == 0


@pytest.mark.parametrize("table", sorted(ROWS))
def test_a_row_can_not_move_to_another_tenant(as_a: Any, estates: Any, table: str) -> None:
    with pytest.raises((errors.InsufficientPrivilege, errors.ForeignKeyViolation)):
        as_a.execute(sql.SQL("UPDATE {} SET tenant_id = %s").format(sql.Identifier(table)), [estates["b"]])


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column)
        for table, row in sorted(ROWS.items())
        for column in row
        if column
        in (
            "user_id",
            "policy_id",
            "resource_id",
            "run_id",
            "scan_id",
            "action_id",
            "created_by",
            "requested_by",
            "framework_id",
            "control_id",
            "credential_id",
            "account_id",
            "scope_id",
            "notice_id",
            "delivery_id",
            "anomaly_id",
            "budget_id",
        )
        # Plain texts without a foreign key, as specified: nothing is checked, nothing is reached.
        and (table, column)
        not in {
            ("evaluation_errors", "policy_id"),
            ("policy_evaluations", "policy_id"),
            ("discovery_seen", "resource_id"),
            ("action_targets", "resource_id"),
            ("action_events_history", "action_id"),
        }
    ],
)
def test_a_row_can_not_point_at_another_tenants_row(as_a: Any, estates: Any, table: str, column: str) -> None:
    person = "uuid:approver" if table == "action_approvals" else "uuid:user"
    as_a.execute("SELECT set_config('rls.user_id', %s, true)", [str(value(person, "a"))])
    foreign = value(ROWS[table][column], "b")
    row: dict[str, Any] = {"tenant_id": estates["a"], column: foreign}
    # A key of its own, and the other references kept within the tenant.
    own = {k: value(v, "a") for k, v in ROWS[table].items() if k != column}
    for key in ("id", "session_key"):
        if key in own:
            own[key] = uuid.uuid4() if key == "id" else "other-key"
    if table == "violations":
        own["policy_id" if column == "resource_id" else "resource_id"] = None
    # resource_properties is keyed by the reference itself: its own key refuses before the foreign key does.
    with pytest.raises((errors.ForeignKeyViolation, errors.UniqueViolation)):
        names = {**own, **row}
        as_a.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            ),
            list(names.values()),
        )


@pytest.mark.parametrize(
    "statement", ["UPDATE audits SET actor = 'x'", "DELETE FROM audits", "TRUNCATE audits"]
)
def test_the_audit_trail_is_append_only(as_a: Any, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        as_a.execute(statement)


def test_nobody_chooses_the_inserting_transaction_of_an_audit_row(as_a: Any, estates: Any) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        insert(as_a, "audits", "fresh", estates["a"], xid="1")


def test_the_owner_sees_all_tenants(estates: Any) -> None:
    with connected("owner") as owner:
        rows = owner.execute("SELECT tenant_id FROM violations").fetchall()
    assert {row[0] for row in rows} >= set(estates.values())


@pytest.mark.timescale
def test_a_chunk_of_the_hypertable_can_not_be_read_directly(as_a: Any) -> None:
    with connected("owner") as owner:
        chunks = [row[0] for row in owner.execute("SELECT show_chunks('cost_timeseries')::text")]
    assert chunks
    for chunk in chunks:
        with pytest.raises(errors.InsufficientPrivilege), as_a.transaction():
            as_a.execute(f"SELECT * FROM {chunk}")
        with pytest.raises(errors.InsufficientPrivilege), as_a.transaction():
            as_a.execute(f"DELETE FROM {chunk}")


def test_the_app_role_is_the_one_of_the_settings(app: Any) -> None:
    assert app.execute("SELECT current_user").fetchone() == (settings.DATABASES["default"]["USER"],)
