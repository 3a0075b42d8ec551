"""`Idempotency-Key`: done once, answered alike, and never for another request."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.findings.models import PolicyException
from apps.jobs.models import Job
from apps.tenancy.idempotency import sweep_keys
from apps.tenancy.models import IdempotencyKey, Tenant, User
from apps.tenancy.roles import Role
from tests.api.conftest import JSON, Api
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_policy

TERM = (timezone.now() + timedelta(days=10)).isoformat()


def send(api: Api, path: str, body: Any, key: str) -> Any:
    headers = {"Idempotency-Key": key}
    return api.client.post(f"/api/v1/{path}", body, content_type=JSON, headers=headers)


@pytest.mark.django_db
def test_the_same_request_is_done_once_and_answered_alike(operator: Api, inside: Tenant) -> None:
    body = {"policy_id": make_policy().pk, "reason": "r", "expires_at": TERM}
    first, second = (send(operator, "exceptions/", body, "k1") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert PolicyException.objects.count() == 1
    assert send(operator, "exceptions/", body, "k2").json()["id"] != first.json()["id"]


@pytest.mark.django_db
def test_a_key_stands_for_one_request(operator: Api, inside: Tenant) -> None:
    body = {"policy_id": make_policy().pk, "reason": "r", "expires_at": TERM}
    assert send(operator, "exceptions/", body, "k").status_code == 201
    other = send(operator, "exceptions/", body | {"reason": "another"}, "k")
    assert other.status_code == 422
    assert other.json()["type"] == "urn:governance:problem:idempotency-key-reused"
    assert send(operator, "scans/", {}, "k").status_code == 422
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_key_is_its_users(operator: Api, admin: Api, inside: Tenant) -> None:
    assert send(operator, "scans/", {}, "k").status_code == 202
    assert send(admin, "scans/", {}, "k").status_code == 202
    assert Job.objects.count() == 2


@pytest.mark.django_db
def test_a_request_that_failed_may_be_sent_again(operator: Api, inside: Tenant) -> None:
    body = {"policy_id": "p-none", "reason": "r", "expires_at": TERM}
    assert send(operator, "exceptions/", body, "k").status_code == 400
    assert not IdempotencyKey.objects.exists()
    body["policy_id"] = make_policy().pk
    assert send(operator, "exceptions/", body, "k").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
def test_a_key_that_is_none_is_refused(key: str, operator: Api, inside: Tenant) -> None:
    response = send(operator, "scans/", {}, key)
    assert (response.status_code, list(response.json()["errors"])) == (400, ["Idempotency-Key"])


@pytest.mark.django_db
def test_a_tokens_secret_is_not_kept(operator: Api, inside: Tenant) -> None:
    expires = (timezone.now() + timedelta(days=1)).isoformat()
    body = {"name": "ci", "scopes": ["read"], "expires_at": expires}
    first, second = (send(operator, "tokens/", body, "k").json() for _ in range(2))
    assert first["text"].startswith("gov_")
    assert second == first | {"text": None}
    assert first["text"] not in str(IdempotencyKey.objects.get().body)


@pytest.mark.django_db
def test_keys_are_forgotten_after_a_day(operator: Api, inside: Tenant) -> None:
    send(operator, "scans/", {}, "old")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    send(operator, "scans/", {}, "new")
    assert sweep_keys() == 1
    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_the_work_once(tenant: Tenant, users: dict[Role, User]) -> None:
    apis = [Api(browser(users[Role.OPERATOR])) for _ in range(4)]
    with acting_as(users[Role.OPERATOR]):
        body = {"policy_id": make_policy().pk, "reason": "r", "expires_at": TERM}
    start, answers = threading.Barrier(len(apis)), []

    def run(api: Api) -> None:
        start.wait()
        answers.append(send(api, "exceptions/", body, "k").json())
        connection.close()

    threads = [threading.Thread(target=run, args=(api,)) for api in apis]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["id"] for answer in answers}) == 1
    assert len(answers) == len(apis)
    with acting_as(users[Role.OPERATOR]):
        assert PolicyException.objects.count() == 1
