from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.test import Client

pytestmark = pytest.mark.django_db


def test_live_asks_no_server(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/health/live").json() == {"status": "alive"}


def test_ready_says_what_it_depends_on(client: Client) -> None:
    response = client.get("/health/ready")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ready", "parts": {"postgresql": "ok", "redis": "ok", "audit": "ok", "history": "ok"}},
    )


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_audit_rows_that_wait_too_long_to_be_sealed_are_said(client: Client, settings: Any) -> None:
    tenant_id = uuid.uuid4()
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("INSERT INTO tenants (id, name) VALUES (%s, 'late')", [tenant_id])
        cursor.execute(
            "INSERT INTO audits (id, tenant_id, actor, action, created_at)"
            " VALUES (gen_random_uuid(), %s, 'system:x', 'a.b.c', now() - interval '200 seconds')",
            [tenant_id],
        )
    settings.AUDIT = settings.AUDIT | {"alarm_seconds": 150}
    try:
        response = client.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
        assert "the oldest for 20" in response.json()["parts"]["audit"]
        assert str(tenant_id) not in response.content.decode()
        settings.AUDIT = settings.AUDIT | {"alarm_seconds": 250}
        assert client.get("/health/ready").json()["status"] == "ready"
    finally:
        with connections["owner"].cursor() as cursor:
            cursor.execute("DELETE FROM tenants WHERE id = %s", [tenant_id])


def test_ready_is_503_while_postgresql_is_away_and_live_goes_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["default"], "cursor", away)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["parts"]["postgresql"]) == (503, "away")
    assert client.get("/health/live").status_code == 200


def test_redis_away_is_said_and_no_reason_to_stop(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr("django.core.cache.cache.set", away)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["parts"]["redis"]) == (200, "away")


def test_migrations_pending_are_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "django.db.migrations.executor.MigrationExecutor.migration_plan", lambda self, targets: ["one"]
    )
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["parts"]["postgresql"]) == (503, "migrations pending")
