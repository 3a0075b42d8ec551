from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connections
from django.test import Client

pytestmark = pytest.mark.django_db


def test_live_asks_no_server(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/health/live").json() == {"status": "alive"}


def test_ready_says_what_it_depends_on(client: Client) -> None:
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["parts"]) == (200, {"postgresql": "ok", "redis": "ok"})


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
