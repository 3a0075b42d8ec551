"""People who are signed in to the admin, and exceptions that wait for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.catalog.models import Policy, Resource, policy_key, resource_key
from apps.findings.models import PolicyException, Violation
from apps.findings.services.exceptions import request_exception
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.estate import PASSWORD, acting_as

QUEUE = "/admin/findings/policyexception/"


def sign_in(user: User, tenant: Tenant, **options: Any) -> Client:
    """A browser in which `user` has signed in by the page that people use."""
    client = Client(**options)
    response = client.post(
        "/sign-in/", {"tenant": tenant.slug, "upn": user.upn, "password": PASSWORD, "next": "/admin/"}
    )
    assert response.status_code == 302, response.content
    return client


@pytest.fixture
def approver(tenant: Tenant, users: dict[Role, User]) -> Client:
    return sign_in(users[Role.APPROVER], tenant)


@pytest.fixture
def admin(tenant: Tenant, users: dict[Role, User]) -> Client:
    return sign_in(users[Role.ADMIN], tenant)


def make_case(number: int, severity: str = "high") -> tuple[Policy, Resource]:
    """A policy and a resource that breaks it, in the context's tenant."""
    from apps.core.context import current_tenant_id

    tenant_id, native_id = current_tenant_id(), f"arn:aws:s3:::case-{number:04d}-{'x' * 60}"
    policy, _ = Policy.objects.get_or_create(
        pk=policy_key(tenant_id, "custodian", f"case-{number}"),
        defaults={
            "name": f"Case {number}", "provider": "aws", "type": "aws.s3", "status": "active",
            "severity": severity, "language": "custodian", "current_version": 1,
        },
    )  # fmt: skip
    resource, _ = Resource.objects.get_or_create(
        pk=resource_key(tenant_id, "aws", "aws.s3", native_id),
        defaults={"provider": "aws", "type": "aws.s3", "name": f"case-{number}", "native_id": native_id},
    )
    Violation.objects.get_or_create(
        policy=policy,
        resource=resource,
        defaults={"severity": severity, "reason": f"case-{number} is public", "status": "open"},
    )
    return policy, resource


MakeExceptions = Callable[..., list[PolicyException]]


@pytest.fixture
def make_exceptions(users: dict[Role, User]) -> MakeExceptions:
    """`make_exceptions(3)`: pending ones for a policy on a resource; `by=` who asks, the operator unless said."""

    def make(
        count: int, *, by: Role = Role.OPERATOR, start: int = 0, **options: Any
    ) -> list[PolicyException]:
        made = []
        with acting_as(users[by]):
            for number in range(start, start + count):
                policy, resource = make_case(number, options.get("severity", "high"))
                made.append(
                    request_exception(
                        policy=policy,
                        resource=resource,
                        reason=f"Reason {number}",
                        expires_at=timezone.now() + timedelta(days=30),
                    )
                )
        return made

    return make


def reread(exception: PolicyException, user: User) -> PolicyException:
    with acting_as(user):
        return PolicyException.objects.select_related("decided_by").get(pk=exception.pk)


def decide_url(exception: PolicyException, verb: str) -> str:
    return f"{QUEUE}{exception.pk}/{verb}/"


def shown_form(client: Client, exception: PolicyException, verb: str) -> dict[str, str]:
    """What a browser would send back from the decision's page."""
    response = client.get(decide_url(exception, verb))
    assert response.status_code == 200
    return {"digest": response.context["form"]["digest"].value() or "", "reason": ""}
