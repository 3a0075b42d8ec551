"""A tenant with a row of every kind, and callers of every role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from apps.core.context import Actor, tenant_scope
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_rows

JSON = "application/json"


class Api:
    """A caller of the API: answers are (status, body)."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return self._answer(self.client.get(f"/api/v1/{path}", query))

    def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return self._answer(
            self.client.post(f"/api/v1/{path}", body or {}, content_type=JSON, headers=headers)
        )

    def put(self, path: str, body: Any) -> tuple[int, Any]:
        return self._answer(self.client.put(f"/api/v1/{path}", body, content_type=JSON))

    def ids(self, path: str, **query: Any) -> list[str]:
        """The ids of a list's first page."""
        status, body = self.get(path, **query)
        assert status == 200, body
        return [row["id"] for row in body["results"]]

    @staticmethod
    def _answer(response: Any) -> tuple[int, Any]:
        if response.status_code >= 400:
            assert response["Content-Type"] == "application/problem+json"
            body = response.json()
            assert body["status"] == response.status_code
            assert body["type"].startswith("urn:governance:problem:")
        return response.status_code, response.json()


@pytest.fixture
def callers(users: dict[Role, User]) -> dict[Role, Api]:
    return {role: Api(browser(user)) for role, user in users.items()}


@pytest.fixture
def viewer(callers: dict[Role, Api]) -> Api:
    return callers[Role.VIEWER]


@pytest.fixture
def operator(callers: dict[Role, Api]) -> Api:
    return callers[Role.OPERATOR]


@pytest.fixture
def approver(callers: dict[Role, Api]) -> Api:
    return callers[Role.APPROVER]


@pytest.fixture
def admin(callers: dict[Role, Api]) -> Api:
    return callers[Role.ADMIN]


@pytest.fixture
def rows(users: dict[Role, User]) -> dict[str, Any]:
    with acting_as(users[Role.OPERATOR]):
        return make_rows(users[Role.OPERATOR])


@pytest.fixture
def inside(tenant: Tenant) -> Iterator[Tenant]:
    """The tenant's context for a test's own reading and writing."""
    with tenant_scope(tenant.id, Actor.system("test")):
        yield tenant
