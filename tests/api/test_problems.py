"""Every error is problem details."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from apps.tenancy.models import User
from apps.tenancy.roles import Role
from apps.tenancy.throttling import WorkThrottle
from tests.api.conftest import JSON, Api
from tests.fixtures.clients import browser, program

pytestmark = pytest.mark.django_db


def test_an_unknown_address_is_a_problem_too(viewer: Api) -> None:
    status, problem = viewer.get("resourcez/")
    assert (status, problem["title"]) == (404, "Not found")
    assert viewer.get("violations/not-a-uuid/")[0] == 404
    program = Client(enforce_csrf_checks=True)
    response = program.post("/api/v1/nothing/", b"{}", content_type=JSON)
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "address", ["costs/explorer/?category=%00a", "costs/forecast/?service=%00", "violations/?severity=%00"]
)
def test_a_nul_in_a_parameter_is_named(address: str, viewer: Api) -> None:
    status, problem = viewer.get(address)
    name = address.partition("?")[2].partition("=")[0]
    assert (status, list(problem["errors"])) == (400, [name])


@pytest.mark.parametrize(
    "page", ["/costs/?category=%00a", "/costs/forecast/?service=%00", "/violations/?%00=a"]
)
def test_a_nul_in_a_pages_address_breaks_nothing(page: str, users: dict[Role, User]) -> None:
    assert browser(users[Role.VIEWER]).get(page).status_code == 400


def test_a_method_that_is_not_there(viewer: Api) -> None:
    response = viewer.client.delete("/api/v1/resources/")
    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[" * 100_000, b'{"mode": NaN}', b"1" * 5000])
def test_a_body_that_is_no_json(raw: bytes, operator: Api) -> None:
    response = operator.client.post("/api/v1/scans/", raw, content_type=JSON)
    assert response.status_code == 400
    assert response.json()["type"] == "urn:governance:problem:parse-error"


def test_a_body_that_is_no_object(operator: Api) -> None:
    response = operator.client.post("/api/v1/scans/", b'["full"]', content_type=JSON)
    assert response.status_code == 400


def test_a_body_of_another_type(operator: Api) -> None:
    response = operator.client.post("/api/v1/scans/", b"mode=full", content_type="text/plain")
    assert response.status_code == 415
    response = operator.client.post("/api/v1/imports/", b"{}", content_type=JSON)
    assert response.status_code == 415
    assert response["Content-Type"] == "application/problem+json"


def test_a_body_that_is_too_large(operator: Api) -> None:
    raw = b'"' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"'
    response = operator.client.post("/api/v1/scans/", raw, content_type=JSON)
    assert (response.status_code, response.json()["status"]) == (413, 413)


@pytest.mark.parametrize("text", ["gov_x", "gov_aaaa_bbbb_cccc", "", "x"])
def test_a_token_that_is_none(text: str) -> None:
    client = browser(None)
    response = client.get("/api/v1/me/", headers={"Authorization": f"Bearer {text}"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


def test_a_token_of_the_right_tenant_with_a_wrong_secret(users: dict[Role, User]) -> None:
    text = program(users[Role.VIEWER], ["read"]).defaults["HTTP_AUTHORIZATION"]
    response = browser(None).get("/api/v1/me/", headers={"Authorization": text[:-1] + "!"})
    assert response.status_code == 401


def test_a_browser_without_its_csrf_token_is_refused(users: dict[Role, User]) -> None:
    client = browser(users[Role.OPERATOR])
    client.handler.enforce_csrf_checks = True
    response = client.post("/api/v1/scans/", b"{}", content_type=JSON)
    assert response.status_code == 403
    assert "CSRF" in response.json()["detail"]


def test_work_is_throttled_for_one_user_and_says_when_to_come_back(
    callers: dict[Role, Api], monkeypatch: Any
) -> None:
    cache.clear()
    monkeypatch.setattr(WorkThrottle, "rate", "2/min")
    operator, admin = callers[Role.OPERATOR], callers[Role.ADMIN]
    assert [operator.post("scans/")[0] for _ in range(3)] == [202, 202, 429]
    response = operator.client.post("/api/v1/scans/", b"{}", content_type=JSON)
    assert 0 < int(response["Retry-After"]) <= 60
    assert operator.get("scans/")[0] == 200
    assert admin.post("scans/")[0] == 202


def test_a_cache_that_is_away_throttles_nobody(operator: Api, monkeypatch: Any) -> None:
    from redis.exceptions import ConnectionError as Away

    def away(*_: Any, **__: Any) -> None:
        raise Away("no cache")

    monkeypatch.setattr(WorkThrottle.cache, "get", away)
    assert operator.post("scans/")[0] == 202
