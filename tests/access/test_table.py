"""The one access table against every address of the project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, reverse

from apps.core.context import tenant_scope
from apps.core.ids import new_id
from apps.jobs.models import Job
from apps.notices.models import Delivery
from apps.tenancy.models import ApiToken, Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.tokens import SCOPES
from tests.fixtures.clients import browser, program
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_delivery, make_rows

from . import table_admin, table_api, table_pages
from .row import Row, addresses

TABLE: list[Row] = [*table_api.ROWS, *table_pages.ROWS, *table_admin.ROWS]
SIGN_IN = "/sign-in/"


class World:
    """A tenant's rows as the addresses name them."""

    def __init__(self, tenant: Tenant, users: dict[Role, User]) -> None:
        self.users = users
        with acting_as(users[Role.OPERATOR]):
            self.rows: dict[str, Any] = make_rows(users[Role.OPERATOR])
        self.rows |= {"tenant": tenant, "user": users[Role.VIEWER]}

    def token_of(self, user: User) -> ApiToken:
        program(user, ["read"])
        with acting_as(user):
            return ApiToken.objects.filter(user=user).latest("created_at", "id")

    def job_of(self, user: User) -> Job:
        with acting_as(user):
            return Job.objects.create(
                type="scans.policy",
                queue="scans.policy",
                idempotency_key=str(new_id()),
                created_by=f"user:{user.pk}",
            )

    def delivery_to(self, user: User) -> Delivery:
        with acting_as(user):
            return make_delivery(user)

    def path(self, row: Row, user: User | None = None) -> str:
        """The row's address, with this tenant's objects; a personal object is `user`'s."""
        parts = {}
        for part, kind in row.objects.items():
            if kind.startswith("number:"):
                parts[part] = int(kind.removeprefix("number:"))
            elif kind.startswith("label:"):
                parts[part] = kind.removeprefix("label:")
            elif kind == "job" and row.personal and user is not None:
                parts[part] = self.job_of(user).pk
            elif kind == "delivery" and row.personal and user is not None:
                parts[part] = self.delivery_to(user).pk
            elif kind == "token":
                owner = user if row.personal and user is not None else self.users[Role.VIEWER]
                parts[part] = self.token_of(owner).pk
            else:
                parts[part] = self.rows[kind].pk
        if row.name == "api:nothing":
            return "/api/v1/there-is-none"
        try:
            return reverse(row.name, kwargs=parts)
        except NoReverseMatch:  # a route without a name
            route = row.name.replace("(?P<url>.*)$", "there-is-none")
            return "/" + route.replace("<path:object_id>", "some-id")


@pytest.fixture
def world(tenant: Tenant, users: dict[Role, User]) -> World:
    return World(tenant, users)


@pytest.fixture
def other_world(other_tenant: Tenant, other_users: dict[Role, User]) -> World:
    return World(other_tenant, other_users)


def send(client: Client, row: Row, path: str) -> HttpResponse:
    json = {"content_type": "application/json"} if row.is_api and row.name != "api:import-list" else {}
    return (
        client.generic(row.method, path, b"{}" if json else b"", **json)
        if json
        else _plain(client, row, path)
    )


def _plain(client: Client, row: Row, path: str) -> HttpResponse:
    return client.get(path) if row.method == "GET" else client.post(path, {})


def is_refused(response: HttpResponse) -> bool:
    return response.status_code in (401, 403) or is_sent_to_sign_in(response)


def is_sent_to_sign_in(response: HttpResponse) -> bool:
    return response.status_code == 302 and response["Location"].startswith(SIGN_IN)


def ids() -> Iterator[Any]:
    for row in TABLE:
        yield pytest.param(row, id=str(row))


every_row = pytest.mark.parametrize("row", ids())


def test_every_address_is_in_the_table_and_every_row_has_an_address() -> None:
    listed: dict[str, set[str]] = {}
    for row in TABLE:
        listed.setdefault(row.name, set()).add(row.method)
    found = {address.name: address for address in addresses()}
    assert sorted(found.keys() - listed.keys()) == [], "addresses without a row: say who may come in"
    assert sorted(listed.keys() - found.keys()) == [], "rows without an address"
    for name, address in found.items():
        if address.methods is not None:
            assert listed[name] == address.methods, f"{name}: methods differ"


def test_no_row_stands_twice() -> None:
    keys = [(row.name, row.method) for row in TABLE]
    assert len(keys) == len(set(keys))


@every_row
@pytest.mark.django_db
def test_roles(row: Row, world: World) -> None:
    """Who holds the permission gets an answer about the thing itself, everybody else a 403."""
    for role, user in world.users.items():
        response = send(browser(user), row, world.path(row, user))
        assert response.status_code < 500, (role, response.content)
        assert response.status_code != 405, role
        if not row.allows(role):
            assert response.status_code == 403, (role, response.status_code)
        elif row.needs is not None:
            assert not is_refused(response) or _is_rule_of_the_house(response), (role, response.content)
            if row.objects:
                assert response.status_code != 404, (role, response.content)


def _is_rule_of_the_house(response: HttpResponse) -> bool:
    return b"four-eyes" in response.content


@every_row
@pytest.mark.django_db
def test_signed_out(row: Row, world: World) -> None:
    """Without credentials: sign-in for pages, 401 with a challenge for the API."""
    response = send(browser(None), row, world.path(row))
    if row.needs is None:
        assert response.status_code < 500
        assert response.status_code not in (401, 403)
    elif row.is_api:
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")
        assert response["Content-Type"] == "application/problem+json"
    else:
        assert is_sent_to_sign_in(response), response.status_code


@pytest.mark.parametrize("row", [p for p in ids() if p.values[0].objects and p.values[0].needs])
@pytest.mark.django_db
def test_another_tenants_object_is_not_there(row: Row, world: World, other_world: World) -> None:
    if any(kind.startswith("label:") for kind in row.objects.values()):
        pytest.skip("names no object")
    path = world.path(row)
    for role, user in other_world.users.items():
        if row.allows(role):
            response = send(browser(user), row, path)
            assert response.status_code == 404, (role, response.status_code)


@pytest.mark.parametrize("row", [p for p in ids() if p.values[0].is_api and p.values[0].needs])
@pytest.mark.django_db
def test_a_token_needs_the_scope(row: Row, world: World) -> None:
    user = next(user for role, user in world.users.items() if row.allows(role))
    without = [name for name, held in SCOPES.items() if row.needs not in held]
    response = send(program(user, without), row, world.path(row, user))
    assert response.status_code == 403
    assert response["Content-Type"] == "application/problem+json"
    within = [name for name, held in SCOPES.items() if row.needs in held]
    response = send(program(user, within), row, world.path(row, user))
    refused_by_rule = row.own_only or str(row) == "POST api:token-list"
    assert (response.status_code == 403) == refused_by_rule, response.content


@pytest.mark.parametrize("row", [p for p in ids() if not p.values[0].is_api and p.values[0].needs])
@pytest.mark.django_db
def test_a_token_opens_no_page(row: Row, world: World) -> None:
    user = world.users[Role.ADMIN]
    response = send(program(user, list(SCOPES)), row, world.path(row, user))
    assert is_sent_to_sign_in(response), response.status_code


@pytest.mark.django_db
def test_a_users_own_token_is_another_users_404(world: World) -> None:
    path = reverse("api:token-detail", kwargs={"pk": world.token_of(world.users[Role.ADMIN]).pk})
    assert browser(world.users[Role.ADMIN]).get(path).status_code == 200
    assert browser(world.users[Role.VIEWER]).get(path).status_code == 404


@pytest.mark.django_db
def test_a_job_is_stopped_by_who_asked_for_it_or_manages(world: World) -> None:
    for address in ("api:job-cancel", "jobs:job-cancel"):
        path = reverse(address, kwargs={"pk": world.job_of(world.users[Role.OPERATOR]).pk})
        assert browser(world.users[Role.VIEWER]).post(path).status_code == 403
        assert browser(world.users[Role.ADMIN]).post(path).status_code in (200, 302)


@pytest.mark.django_db
def test_a_refusal_is_recorded(world: World) -> None:
    user = world.users[Role.VIEWER]
    assert browser(user).post("/api/v1/scans/").status_code == 403
    from apps.audit.models import Audit

    with tenant_scope(user.tenant_id):
        row = Audit.objects.filter(action="tenancy.access.refused").latest("created_at")
    assert row.payload["path"] == "/api/v1/scans/"
    assert row.actor == f"user:{user.pk}"


def test_the_sign_in_address_is_the_one_of_the_settings() -> None:
    assert reverse(settings.LOGIN_URL) == SIGN_IN
