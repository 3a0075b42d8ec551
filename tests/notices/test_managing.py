"""Endpoints in the admin and on the API; the log; preferences; and the way from a mail's link through sign-in."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.audit.models import Audit
from apps.notices.channels.signing import secret_text
from apps.notices.models import Delivery, Mute, WebhookEndpoint
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser, program
from tests.fixtures.estate import PASSWORD, acting_as
from tests.fixtures.rows import make_delivery

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ADMIN = "/admin/notices/webhookendpoint/"
JSON = "application/json"


@pytest.fixture
def admin(users: Users) -> Client:
    return browser(users[Role.ADMIN])


@pytest.fixture
def public_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name is somewhere on the internet."""
    answer = [(2, 1, 6, "", ("93.184.215.14", 443))]
    monkeypatch.setattr("apps.notices.channels.addresses.socket.getaddrinfo", lambda *a, **k: answer)


def the_endpoint(user: User) -> WebhookEndpoint:
    with acting_as(user):
        return WebhookEndpoint.objects.get()


def test_the_admin_shows_a_secret_once(admin: Client, users: Users, public_names: None) -> None:
    form = {
        "name": "Chat",
        "url": "https://hooks.example.org/x",
        "codes": ["exceptions.asked"],
        "is_active": "on",
    }
    made = admin.post(f"{ADMIN}add/", form)
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    endpoint = the_endpoint(users[Role.ADMIN])
    secret = secret_text(endpoint)
    assert secret in made.content.decode()
    assert (endpoint.name, endpoint.codes, endpoint.created_by_id) == (
        "Chat", ["exceptions.asked"], users[Role.ADMIN].pk,
    )  # fmt: skip
    for path in (f"{ADMIN}{endpoint.pk}/change/", ADMIN, f"{ADMIN}{endpoint.pk}/history/"):
        assert secret not in admin.get(path).content.decode()
    asked = admin.get(f"{ADMIN}{endpoint.pk}/secret/")
    assert secret not in asked.content.decode()
    renewed = admin.post(f"{ADMIN}{endpoint.pk}/secret/").content.decode()
    assert secret not in renewed
    assert secret_text(the_endpoint(users[Role.ADMIN])) in renewed
    with acting_as(users[Role.ADMIN]):
        actions = set(Audit.objects.filter(target_id=str(endpoint.pk)).values_list("action", flat=True))
        assert not Audit.objects.filter(payload__icontains="whsec_").exists()
    assert actions == {"notices.endpoint.created", "notices.endpoint.secret_renewed"}


def test_the_admin_refuses_a_private_address_at_its_field(admin: Client, users: Users) -> None:
    response = admin.post(f"{ADMIN}add/", {"name": "Inside", "url": "https://127.0.0.1/", "is_active": "on"})
    assert "not a public address" in response.content.decode()
    with acting_as(users[Role.ADMIN]):
        assert not WebhookEndpoint.objects.exists()


def test_the_admin_changes_switches_off_and_tests(admin: Client, users: Users, public_names: None) -> None:
    admin.post(f"{ADMIN}add/", {"name": "Chat", "url": "https://hooks.example.org/x", "is_active": "on"})
    endpoint = the_endpoint(users[Role.ADMIN])
    tested = admin.post(f"{ADMIN}{endpoint.pk}/test/")
    with acting_as(users[Role.ADMIN]):
        delivery = Delivery.objects.select_related("notice").get()
    assert tested["Location"] == f"/admin/notices/delivery/{delivery.pk}/change/"
    assert delivery.notice.code == "notices.test"
    form = {"name": "Talk", "url": "https://hooks.example.org/y", "codes": ["reports.ready"]}
    admin.post(f"{ADMIN}{endpoint.pk}/change/", form)
    endpoint = the_endpoint(users[Role.ADMIN])
    assert (endpoint.name, endpoint.url, endpoint.is_active) == ("Talk", "https://hooks.example.org/y", False)
    refused = admin.post(f"{ADMIN}{endpoint.pk}/test/", follow=True)
    assert "switched off" in refused.content.decode()


def test_the_api_makes_an_endpoint_once_and_withholds_the_secret_when_replayed(
    admin: Client, users: Users, public_names: None
) -> None:
    body = {"name": "Chat", "url": "https://hooks.example.org/x", "codes": ["jobs.failed"]}
    headers = {"Idempotency-Key": "k-1"}
    first = admin.post("/api/v1/webhooks/", body, content_type=JSON, headers=headers)
    assert first.status_code == 201, first.content
    assert first.json()["secret"] == secret_text(the_endpoint(users[Role.ADMIN]))
    again = admin.post("/api/v1/webhooks/", body, content_type=JSON, headers=headers)
    assert (again.status_code, again.json()["secret"]) == (201, None)
    path = f"/api/v1/webhooks/{first.json()['id']}/"
    assert "secret" not in admin.get(path).json()
    changed = admin.patch(path, {"is_active": False}, content_type=JSON)
    assert changed.json()["is_active"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "n", "url": "https://10.0.0.1/"}, "url"),
        ({"name": "n", "url": "http://example.org/"}, "url"),
        ({"name": " ", "url": "https://8.8.8.8/"}, "name"),
        ({"name": "n", "url": "https://8.8.8.8/", "codes": ["no.such"]}, "codes"),
        ({"name": "n", "url": "https://8.8.8.8/", "secret": "mine"}, "secret"),
    ],
)
def test_the_api_names_what_is_wrong(admin: Client, users: Users, body: dict[str, Any], field: str) -> None:
    response = admin.post("/api/v1/webhooks/", body, content_type=JSON)
    assert response.status_code == 400
    assert field in response.content.decode()
    with acting_as(users[Role.ADMIN]):
        assert not WebhookEndpoint.objects.exists()


def test_people_see_their_own_mail_and_admins_see_all(users: Users) -> None:
    with acting_as(users[Role.VIEWER]):
        mine, other = make_delivery(users[Role.VIEWER], 1), make_delivery(users[Role.OPERATOR], 2)
    viewer, admin = browser(users[Role.VIEWER]), browser(users[Role.ADMIN])
    page = viewer.get("/notices/").content.decode()
    assert ("Scan 1 failed" in page, "Scan 2 failed" in page) == (True, False)
    assert viewer.get(f"/notices/{other.pk}/").status_code == 404
    assert viewer.get(f"/notices/{mine.pk}/").status_code == 200
    assert [row["id"] for row in viewer.get("/api/v1/deliveries/").json()["results"]] == [str(mine.pk)]
    assert len(admin.get("/api/v1/deliveries/").json()["results"]) == 2
    without = program(users[Role.ADMIN], ["read"])
    assert without.get("/api/v1/deliveries/").json()["results"] == []
    exported = b"".join(admin.get("/notices/?export=csv")).decode()  # type: ignore[arg-type]
    assert exported.count("jobs.failed") == 2


def test_the_log_is_filtered_in_the_address(users: Users) -> None:
    with acting_as(users[Role.VIEWER]):
        make_delivery(users[Role.VIEWER], 1)
        make_delivery(users[Role.VIEWER], 2, status="failed", error="550")
    page = browser(users[Role.VIEWER]).get("/notices/?status=failed").content.decode()
    assert ("Scan 1 failed" in page, "Scan 2 failed" in page) == (False, True)


def test_somebody_chooses_what_he_gets_mail_about(users: Users) -> None:
    client = browser(users[Role.APPROVER])
    assert "Exceptions" in client.get("/notices/preferences/").content.decode()
    client.post("/notices/preferences/", {"wanted": ["jobs", "reports", "notices"]})
    assert client.get("/api/v1/me/notices/").json()["muted"].count("exceptions") == 1
    with acting_as(users[Role.APPROVER]):
        assert Audit.objects.filter(action="notices.preferences.changed").count() == 1
    answer = client.put("/api/v1/me/notices/", {"muted": []}, content_type=JSON)
    assert answer.json() == {"muted": []}
    assert client.put("/api/v1/me/notices/", {"muted": ["none"]}, content_type=JSON).status_code == 400
    with acting_as(users[Role.APPROVER]):
        assert not Mute.objects.exists()


def test_a_mails_link_survives_signing_in(tenant: Tenant, users: Users) -> None:
    """Who is signed out is led to sign-in with the page, and from there to it, query and all; nowhere else."""
    client = Client()
    wanted = "/violations/?severity=high&page_size=25"
    first = client.get(wanted)
    assert first.status_code == 302
    form = client.get(first["Location"]).content.decode()
    (kept,) = re.findall(r'name="next" value="([^"]*)"', form)
    kept = kept.replace("&amp;", "&")
    signed = {"tenant": tenant.slug, "upn": users[Role.VIEWER].upn, "password": PASSWORD}
    assert client.post("/sign-in/", signed | {"next": kept})["Location"] == wanted
    for evil in (
        "https://evil.example.org/",
        "//evil.example.org/",
        "/\\evil.example.org",
        "javascript:alert(1)",
    ):
        assert Client().post("/sign-in/", signed | {"next": evil})["Location"] == "/"


def test_asking_and_deciding_tell_approvers_and_requester(tenant: Tenant, users: Users) -> None:
    from apps.catalog.models import Policy
    from apps.findings.services.exceptions import approve_exception, request_exception
    from tests.fixtures.rows import make_policy

    with acting_as(users[Role.OPERATOR]):
        for role, user in users.items():
            User.objects.filter(pk=user.pk).update(email=f"{role}@example.org")
        make_policy()
        exception = request_exception(
            policy=Policy.objects.get(), reason="For now", expires_at=timezone.now() + timedelta(days=1)
        )
    with acting_as(users[Role.APPROVER]), transaction.atomic():
        approve_exception(exception=exception)
        told = list(
            Delivery.objects.order_by("created_at", "id").values_list(
                "notice__code", "address", "notice__path"
            )
        )
    assert sorted(told) == [
        ("exceptions.asked", "approver@example.org",
         f"/admin/findings/policyexception/{exception.pk}/change/"),
        ("exceptions.decided", "operator@example.org", f"/exceptions/{exception.pk}/"),
    ]  # fmt: skip
