"""schemathesis makes requests from our own description: no answer may be a 500 or contradict it."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.core.context import Actor, tenant_scope
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.tokens import SCOPES
from tests.fixtures.clients import program

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
described = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
described.app = get_wsgi_application()
OPERATIONS = [result.ok() for result in described.get_all_operations()]


@pytest.fixture
def authorization(tenant: Tenant, users: dict[Role, User], rows: dict[str, Any]) -> str:
    with tenant_scope(tenant.id, Actor.system("test")):
        text: str = program(users[Role.ADMIN], list(SCOPES)).defaults["HTTP_AUTHORIZATION"]
    return text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_request_breaks_it(operation: Any, authorization: str) -> None:
    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": authorization}, checks=CHECKS)

    run()
