"""A cloud account is changed and ended: on its page, by the API and in the admin."""

from __future__ import annotations

import json

import pytest
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Audit
from apps.catalog.models import Resource
from apps.catalog.services import check_account, start_discovery
from apps.core.context import tenant_scope, tenant_transaction
from apps.core.errors import IllegalTransition, InvalidInput, Refused
from apps.jobs.models import Job
from apps.tenancy.cloud_accounts import change_account, disconnect_account
from apps.tenancy.models import CloudAccount, Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser, program
from tests.fixtures.clouds import HOME_ACCOUNT, PREFIX, allow, connect_aws
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_resource

pytestmark = pytest.mark.django_db


def changed(tenant: Tenant, row: CloudAccount, **what: object) -> CloudAccount:
    with tenant_scope(tenant.id), transaction.atomic():
        return change_account(account=CloudAccount.objects.get(pk=row.pk), **what)


def test_what_is_not_given_stays_as_it_is(tenant: Tenant, moto_endpoint: str) -> None:
    row = connect_aws(tenant, moto_endpoint, discover_every_minutes=60, name="first")
    assert row.discovery_due_at is not None
    named = changed(tenant, row, name="second")
    assert (named.name, named.discover_every_minutes) == ("second", 60)
    assert named.discovery_due_at == row.discovery_due_at, "a new name puts nothing off"
    moved = changed(tenant, row, regions=["eu-west-2"])
    assert (moved.regions, moved.discover_every_minutes) == (["eu-west-2"], 60)
    by_hand = changed(tenant, row, discover_every_minutes=None)
    assert (by_hand.discover_every_minutes, by_hand.discovery_due_at) == (None, None)
    with pytest.raises(InvalidInput, match="from 15 minutes"):
        changed(tenant, row, discover_every_minutes=5)
    with pytest.raises(InvalidInput, match="no region"):
        changed(tenant, row, regions=["eu west"])


def test_other_credentials_have_to_prove_the_account_anew(
    tenant: Tenant, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connect_aws(tenant, moto_endpoint)
    with pytest.raises(Refused, match="does not allow"):
        changed(tenant, row, credential="environment:SECOND")
    allow(tenant, "environment:SECOND", endpoint=moto_endpoint)
    other = changed(tenant, row, credential="environment:SECOND")
    assert (other.status, other.proven_at, other.reference) == ("unproven", None, "environment:SECOND")
    assert other.tested_at is None, "it was the former credentials that were tested"
    with tenant_scope(tenant.id):
        heard = check_account(account_id=row.pk)
        assert "SECOND_ACCESS_KEY_ID" in heard.problem
    back = changed(tenant, row, credential=f"environment:{PREFIX}")
    assert back.problem == "", "the former credentials' problem is not these ones'"
    with tenant_scope(tenant.id):
        assert check_account(account_id=row.pk).status == "connected"


def test_disconnecting_keeps_resources_and_stops_what_is_under_way(
    tenant: Tenant, moto_endpoint: str
) -> None:
    row = connect_aws(tenant, moto_endpoint, discover_every_minutes=60)
    with tenant_scope(tenant.id), transaction.atomic():
        kept = make_resource(1, account=HOME_ACCOUNT, status="active")
        job = start_discovery(account=row, send=False)
    with tenant_scope(tenant.id), transaction.atomic():
        ended = disconnect_account(account=CloudAccount.objects.get(pk=row.pk))
    assert (ended.status, ended.discovery_due_at, ended.proven_at) == ("disconnected", None, None)
    assert ended.tested_at is None
    with tenant_transaction(tenant.id):
        assert Resource.objects.get(pk=kept.pk).status == "active"
        assert Job.objects.get(pk=job.pk).status == "cancelled"
        assert Audit.objects.filter(action="tenancy.cloud_account.disconnected").count() == 1
    with pytest.raises(Refused, match="connect it again first"):
        changed(tenant, row, name="another")
    with pytest.raises(IllegalTransition), tenant_scope(tenant.id), transaction.atomic():
        disconnect_account(account=CloudAccount.objects.get(pk=row.pk))


def test_the_page_of_a_change(tenant: Tenant, users: dict[Role, User], moto_endpoint: str) -> None:
    row = connect_aws(tenant, moto_endpoint, discover_every_minutes=60)
    client, path = browser(users[Role.ADMIN]), f"/accounts/{row.pk}/change/"
    shown = client.get(path).content.decode()
    assert f"environment:{PREFIX}" in shown
    assert 'value="60"' in shown
    assert 'name="provider"' not in shown
    body = {"credential": f"environment:{PREFIX}", "name": "Shop", "regions": "eu-west-1, eu-west-2"}
    sent = client.post(path, {**body, "discover_every_minutes": "5"})
    assert sent.status_code == 422
    assert "from 15 minutes" in sent.content.decode()
    sent = client.post(path, {**body, "discover_every_minutes": ""})
    assert sent["Location"] == f"/accounts/{row.pk}/"
    with tenant_transaction(tenant.id):
        now = CloudAccount.objects.get()
    assert (now.name, now.regions, now.discover_every_minutes) == ("Shop", ["eu-west-1", "eu-west-2"], None)


def test_only_aws_has_regions_to_choose(
    tenant: Tenant, users: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.tenancy.cloud_accounts import create_account

    allow(tenant, "environment:AZ", provider="azure")
    with acting_as(users[Role.ADMIN]):
        row = create_account(
            provider="azure", account="0b1f6471-1bf0-4dda-aec3-cb9272f09590", credential="environment:AZ"
        )
    assert (
        'name="regions"' not in browser(users[Role.ADMIN]).get(f"/accounts/{row.pk}/change/").content.decode()
    )


def test_the_api_connects_changes_tests_and_ends(
    tenant: Tenant, users: dict[Role, User], moto_endpoint: str
) -> None:
    allow(tenant, f"environment:{PREFIX}", endpoint=moto_endpoint)
    client = program(users[Role.ADMIN], ["read", "manage"])

    def send(method: str, path: str, **body: object) -> tuple[int, dict]:
        answer = client.generic(
            method,
            f"/api/v1/accounts/{path}",
            json.dumps(body),
            content_type="application/json",
        )
        return answer.status_code, answer.json()

    asked = {"provider": "aws", "account": HOME_ACCOUNT, "credential": f"environment:{PREFIX}"}
    status, made = send("POST", "", **asked, discover_every_minutes=60)
    assert (status, made["status"]) == (201, "unproven")
    status, refused = send("POST", "", **{**asked, "credential": "AKIAIOSFODNN7EXAMPLE"})
    assert status == 400
    assert "AKIAIOSFODNN7EXAMPLE" not in str(refused)
    status, tested = send("POST", f"{made['id']}/test/")
    assert (status, tested["status"], tested["why_no_data"]) == (
        200,
        "connected",
        "It has not been discovered yet.",
    )
    status, named = send("PATCH", f"{made['id']}/", name="Shop")
    assert (status, named["name"], named["discover_every_minutes"]) == (200, "Shop", 60)
    status, wrong = send("PATCH", f"{made['id']}/", regions=["eu west"])
    assert (status, list(wrong["errors"])) == (400, ["regions"])
    status, ended = send("POST", f"{made['id']}/disconnect/")
    assert (status, ended["status"]) == (200, "disconnected")
    assert send("POST", f"{made['id']}/disconnect/")[0] == 409


def test_the_admin_changes_and_disconnects(
    tenant: Tenant, users: dict[Role, User], moto_endpoint: str
) -> None:
    row = connect_aws(tenant, moto_endpoint, discover_every_minutes=60)
    client, path = browser(users[Role.ADMIN]), f"/admin/tenancy/cloudaccount/{row.pk}/change/"
    assert f"environment:{PREFIX}" in client.get(path).content.decode()
    body = {
        "name": "Shop",
        "credential_reference": f"environment:{PREFIX}",
        "region_names": "eu-west-1",
        "listing": "describe",
    }
    assert client.post(path, {**body, "every": "120", "_save": "1"}).status_code == 302
    with tenant_transaction(tenant.id):
        now = CloudAccount.objects.get()
    assert (now.name, now.discover_every_minutes, now.status) == ("Shop", 120, "connected")
    refused = client.post(
        path, {**body, "credential_reference": "environment:NOT_OURS", "_save": "1"}, follow=True
    )
    assert "does not allow this environment reference" in refused.content.decode()
    end = f"/admin/tenancy/cloudaccount/{row.pk}/disconnect/"
    assert "What was discovered stays" in client.get(end).content.decode()
    assert client.post(end).status_code == 302
    shown = client.get(path).content.decode()
    assert "disconnected" in shown
    assert 'name="every"' not in shown


def test_the_list_asks_no_more_for_more_accounts(tenant: Tenant, users: dict[Role, User]) -> None:
    from django.db import connection

    from apps.tenancy.cloud_accounts import create_account

    allow(tenant, "assume_role:arn:aws:iam::*:role/desk")
    client = browser(users[Role.ADMIN])

    def asked(numbers: range, path: str) -> int:
        with acting_as(users[Role.ADMIN]):
            for n in numbers:
                number = f"{n:012d}"
                create_account(
                    provider="aws", account=number, credential=f"assume_role:arn:aws:iam::{number}:role/desk"
                )
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    asked(range(3), "/accounts/")
    few = [asked(range(0), "/accounts/"), asked(range(0), "/admin/tenancy/cloudaccount/")]
    asked(range(3, 40), "/accounts/")
    assert [asked(range(0), "/accounts/"), asked(range(0), "/admin/tenancy/cloudaccount/")] == few
