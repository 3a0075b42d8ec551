"""No page, endpoint or admin page shows a function's variables: they are not kept."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.catalog.models import Resource, ResourceProperties
from apps.catalog.services import import_inventory
from apps.core.context import tenant_scope, tenant_transaction
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser

pytestmark = pytest.mark.django_db
PASSWORD = "hunter2-Correct-Horse"
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:pay"


def import_function(tenant: Tenant, tmp_path: Path) -> Resource:
    row = {
        "provider": "aws", "id": ARN, "type": "aws.lambda", "name": "pay",
        "properties": {"FunctionName": "pay", "Environment": {"Variables": {"DB_PASSWORD": PASSWORD}}},
    }  # fmt: skip
    path = tmp_path / "one.ndjson"
    path.write_text(json.dumps(row))
    with tenant_scope(tenant.id):
        import_inventory(source=path, name="one.ndjson")
    with tenant_transaction(tenant.id):
        return Resource.objects.get(native_id=ARN)


def test_nobody_is_shown_what_a_variable_holds(
    tenant: Tenant, users: dict[Role, User], tmp_path: Path
) -> None:
    resource = import_function(tenant, tmp_path)
    for role, path in (
        (Role.VIEWER, f"/resources/{resource.pk}/"),
        (Role.VIEWER, f"/api/v1/resources/{resource.pk}/"),
        (Role.ADMIN, f"/admin/catalog/resource/{resource.pk}/change/"),
    ):
        answer = browser(users[role]).get(path)
        shown = answer.content.decode()
        assert answer.status_code == 200
        assert "DB_PASSWORD" in shown, path
        assert "masked (fingerprint" in shown, path
        assert PASSWORD not in shown, path


def test_importing_again_changes_nothing(tenant: Tenant, tmp_path: Path) -> None:
    import_function(tenant, tmp_path)
    with tenant_transaction(tenant.id):
        before = ResourceProperties.objects.values_list("properties", "changed_xid").get()
    import_function(tenant, tmp_path)
    with tenant_transaction(tenant.id):
        assert ResourceProperties.objects.values_list("properties", "changed_xid").get() == before


def test_documents_of_earlier_versions_are_masked_by_the_command(tenant: Tenant, tmp_path: Path) -> None:
    resource = import_function(tenant, tmp_path)
    clear = {"FunctionName": "pay", "Environment": {"Variables": {"DB_PASSWORD": PASSWORD}}}
    with tenant_transaction(tenant.id):
        now = ResourceProperties.objects.get(resource_id=resource.pk).properties
        ResourceProperties.objects.filter(resource_id=resource.pk).update(properties=clear)
    assert run("mask", "--tenant", tenant.slug) == {"documents_masked": 1}
    with tenant_transaction(tenant.id):
        assert ResourceProperties.objects.get(resource_id=resource.pk).properties == now
    assert run("mask", "--tenant", tenant.slug) == {"documents_masked": 0}


def run(*words: str) -> dict[str, int]:
    out = io.StringIO()
    call_command("inventory", *words, "--json", stdout=out)
    answer: dict[str, int] = json.loads(out.getvalue())
    return answer
