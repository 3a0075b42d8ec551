"""One row of every kind in a tenant, and browsers of its people."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_rows


@pytest.fixture
def rows(users: dict[Role, User]) -> dict[str, Any]:
    with acting_as(users[Role.OPERATOR]) as operator:
        return make_rows(operator)


@pytest.fixture
def viewer(users: dict[Role, User]) -> Client:
    return browser(users[Role.VIEWER])


@pytest.fixture
def operator(users: dict[Role, User]) -> Client:
    return browser(users[Role.OPERATOR])


@pytest.fixture
def approver(users: dict[Role, User]) -> Client:
    return browser(users[Role.APPROVER])


@pytest.fixture
def admin(users: dict[Role, User]) -> Client:
    return browser(users[Role.ADMIN])
