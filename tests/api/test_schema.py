"""The API's description of itself: whole, without warnings, and true (schemathesis tries it)."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from apps.core.permissions import Permission
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def operations(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_valid_and_made_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_it_is_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"] == "3.1.0"


def test_every_operation_names_its_permission_and_the_tokens_scope(schema: dict[str, Any]) -> None:
    assert len(operations(schema)) > 40
    for name, operation in operations(schema):
        text = operation["description"]
        assert any(f"Permission: `{p}`" in text for p in Permission), name
        assert "needs the scope `" in text, name


def test_every_operation_tells_its_problems(schema: dict[str, Any]) -> None:
    for name, operation in operations(schema):
        for code in ("400", "401", "403"):
            content = operation["responses"][code]["content"]
            assert list(content) == ["application/problem+json"], name


def test_operation_ids_are_unique(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(schema)]
    assert len(names) == len(set(names))


@pytest.mark.django_db
def test_the_documentation_asks_no_other_host(users: dict[Role, User]) -> None:
    page = browser(users[Role.VIEWER]).get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "http://" not in text.replace("http://testserver", "")
    assert "https://" not in text
    assert "<script>" not in text
    script = browser(None).get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
