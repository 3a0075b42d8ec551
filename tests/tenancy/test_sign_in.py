"""Signing in by tenant, upn and password; sessions and tokens under row-level security."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import Audit
from apps.core.context import tenant_transaction
from apps.core.errors import InvalidInput, NotFound
from apps.tenancy.models import ApiToken, Session, Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.services import change_user, create_token, create_user, find_tenant
from apps.tenancy.tokens import parse_token
from tests.fixtures.estate import PASSWORD, acting_as

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


@pytest.fixture(autouse=True)
def forget_lockouts() -> None:
    cache.clear()


def sign_in(client: Client, tenant: str, upn: str, password: str = PASSWORD) -> int:
    return client.post(
        reverse("tenancy:sign-in"), {"tenant": tenant, "upn": upn, "password": password}
    ).status_code


def home(client: Client) -> int:
    return client.get(reverse("findings:violation-list")).status_code


@pytest.mark.parametrize("handle", ["slug", "id"])
def test_a_user_signs_in_by_the_tenants_slug_or_id(
    client: Client, tenant: Tenant, users: Users, handle: str
) -> None:
    assert sign_in(client, str(getattr(tenant, handle)), users[Role.VIEWER].upn) == 302
    assert home(client) == 200
    with tenant_transaction(tenant.id):
        assert Audit.objects.filter(action="tenancy.session.signed_in").count() == 1
        assert Session.objects.get().user_id == users[Role.VIEWER].pk


def test_the_same_name_in_two_tenants_is_two_people(
    client: Client, tenant: Tenant, other_tenant: Tenant
) -> None:
    for owner, role in ((tenant, "viewer"), (other_tenant, "admin")):
        with tenant_transaction(owner.id):
            create_user(upn="ada", role=role, password=PASSWORD)
    assert sign_in(client, other_tenant.slug, "ada") == 302
    response = client.get(reverse("findings:violation-list"))
    assert response.wsgi_request.user.role == "admin"


def test_every_failure_answers_in_the_same_words(
    client: Client, tenant: Tenant, other_tenant: Tenant, users: Users
) -> None:
    upn = users[Role.VIEWER].upn
    answers = {
        client.post(reverse("tenancy:sign-in"), {"tenant": t, "upn": u, "password": p})
        .context["form"]
        .non_field_errors()[0]
        for t, u, p in (
            (tenant.slug, upn, "wrong password!"),
            (tenant.slug, "nobody", PASSWORD),
            (other_tenant.slug, upn, PASSWORD),
            ("no-such-tenant", upn, PASSWORD),
        )
    }
    assert answers == {"Tenant, name or password is wrong."}
    assert home(client) == 302


def test_five_wrong_passwords_shut_the_door_for_that_name_alone(
    client: Client, tenant: Tenant, users: Users
) -> None:
    upn = users[Role.VIEWER].upn
    for _ in range(5):
        assert sign_in(client, tenant.slug, upn, "wrong password!") == 200
    assert sign_in(client, tenant.slug, upn) == 200
    assert sign_in(client, tenant.slug, users[Role.OPERATOR].upn) == 302


def test_a_session_of_one_tenant_is_none_of_another(
    client: Client, tenant: Tenant, other_tenant: Tenant, users: Users
) -> None:
    sign_in(client, tenant.slug, users[Role.VIEWER].upn)
    key = client.cookies["governance_session"].value
    client.cookies["governance_session"] = key.replace(tenant.id.hex, other_tenant.id.hex)
    assert home(client) == 302


def test_signing_out_ends_the_session_row(client: Client, tenant: Tenant, users: Users) -> None:
    sign_in(client, tenant.slug, users[Role.VIEWER].upn)
    client.post(reverse("tenancy:sign-out"))
    with tenant_transaction(tenant.id):
        assert Session.objects.count() == 0
    assert home(client) == 302


def test_an_ended_account_is_out_at_once(client: Client, tenant: Tenant, users: Users) -> None:
    sign_in(client, tenant.slug, users[Role.VIEWER].upn)
    with acting_as(users[Role.ADMIN]):
        change_user(user=users[Role.VIEWER], is_active=False)
    assert home(client) == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_sign_in_sends_nobody_elsewhere(client: Client, tenant: Tenant, users: Users, target: str) -> None:
    response = client.post(
        reverse("tenancy:sign-in"),
        {"tenant": tenant.slug, "upn": users[Role.VIEWER].upn, "password": PASSWORD, "next": target},
    )
    assert response["Location"] == "/"


def make_token(user: User, *scopes: str, days: int = 1) -> tuple[ApiToken, str]:
    with acting_as(user):
        made = create_token(
            user=user, name="t", scopes=scopes, expires_at=timezone.now() + timedelta(days=days)
        )
    return made.token, made.text


def api(client: Client, token: str) -> int:
    return client.get("/api/v1/violations/", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_token_works_within_its_scopes(client: Client, users: Users) -> None:
    assert api(client, make_token(users[Role.OPERATOR], "read")[1]) == 200
    assert api(client, make_token(users[Role.OPERATOR], "scan")[1]) == 403


def test_a_token_that_is_expired_revoked_forged_or_moved_is_401(
    client: Client, tenant: Tenant, other_tenant: Tenant, users: Users
) -> None:
    user = users[Role.OPERATOR]
    assert api(client, make_token(user, "read", days=-1)[1]) == 401
    token, text = make_token(user, "read")
    parts = parse_token(text)
    assert parts is not None
    assert api(client, text[:-1] + ("A" if text[-1] != "A" else "B")) == 401
    assert api(client, text.replace(text.split("_")[1], make_prefix(other_tenant.id))) == 401
    assert api(client, "gov_x_y_z") == 401
    assert api(client, text) == 200
    with tenant_transaction(tenant.id):
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
    assert api(client, text) == 401


def make_prefix(tenant_id: uuid.UUID) -> str:
    from apps.tenancy.tokens import render_token

    return render_token(tenant_id, tenant_id, "s").split("_")[1]


def test_a_tokens_secret_is_stored_nowhere(tenant: Tenant, users: Users) -> None:
    token, text = make_token(users[Role.OPERATOR], "read")
    secret = text.split("_", 3)[3]
    with tenant_transaction(tenant.id):
        stored = ApiToken.objects.values().get(pk=token.pk)
    assert secret not in str(stored)


def test_a_role_that_never_had_a_permission_does_not_get_it_by_a_scope(client: Client, users: Users) -> None:
    _, text = make_token(users[Role.VIEWER], "read", "scan")
    response = client.post(
        "/api/v1/scans/", {}, "application/json", headers={"Authorization": f"Bearer {text}"}
    )
    assert response.status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"upn": ""}, "upn"),
        ({"upn": "a b"}, "upn"),
        ({"role": "root"}, "role"),
        ({"password": "short"}, "password"),
    ],
)
def test_a_bad_user_is_refused_by_field(in_tenant: Tenant, change: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_user(**({"upn": "ada", "role": "viewer", "password": PASSWORD} | change))
    assert refused.value.field == field
    assert User.objects.count() == 0


def test_the_same_upn_twice_in_a_tenant_is_refused(in_tenant: Tenant) -> None:
    create_user(upn="ada", role="viewer", password=PASSWORD)
    with pytest.raises(InvalidInput, match="already a user"):
        create_user(upn="ada", role="admin", password=PASSWORD)


def test_a_tenant_is_found_by_id_slug_and_on_a_command_line_by_name(tenant: Tenant) -> None:
    assert find_tenant(str(tenant.id)) == tenant.id
    assert find_tenant(tenant.slug) == tenant.id
    with pytest.raises(NotFound):
        find_tenant(tenant.name)


def test_roles_grant_what_the_decisions_say() -> None:
    granted = {role: {p.name for p in role.permissions} for role in Role}
    assert granted[Role.VIEWER] == {"VIEW", "EXPORT"}
    assert "DECIDE" not in granted[Role.ADMIN] | granted[Role.OPERATOR]
    assert "DECIDE" in granted[Role.APPROVER]
    assert [r for r in Role if "MANAGE" in granted[r]] == [Role.ADMIN]
