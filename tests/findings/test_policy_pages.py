"""The pages on which a policy is tried out."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from apps.catalog.models import Policy, Resource
from apps.core.context import tenant_transaction
from apps.findings.models import Violation
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import UNOWNED_BUCKETS, bucket, import_policy, import_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(tenant: Tenant) -> Policy:
    with tenant_transaction(tenant.id):
        import_rows([bucket(n) for n in range(4)])
        import_policy(UNOWNED_BUCKETS)
        return Policy.objects.get()


def test_a_preview_is_shown_before_any_scan(policy: Policy, users: dict[Role, User]) -> None:
    page = browser(users[Role.OPERATOR]).post(reverse("findings:policy-preview", args=[policy.pk]))
    assert b"would open 2 and close 0" in page.content
    assert b"bucket-0" in page.content


def test_the_policy_page_offers_it(policy: Policy, users: dict[Role, User]) -> None:
    page = browser(users[Role.ADMIN]).get(reverse("catalog:policy-detail", args=[policy.pk]))
    for name in ("policy-preview", "policy-scan", "policy-compiled", "policy-explain"):
        assert reverse(f"findings:{name}", args=[policy.pk]) in page.content.decode()


def test_an_administrator_sees_sql_and_plan(policy: Policy, users: dict[Role, User]) -> None:
    page = browser(users[Role.ADMIN]).get(reverse("findings:policy-compiled", args=[policy.pk])).content
    assert b"from resources r" in page
    assert b"Scan" in page


def test_versions_are_compared(policy: Policy, tenant: Tenant, users: dict[Role, User]) -> None:
    with tenant_transaction(tenant.id):
        import_policy(UNOWNED_BUCKETS.replace("tag:owner", "tag:team"))
    page = browser(users[Role.VIEWER]).get(reverse("findings:policy-compare", args=[policy.pk])).content
    assert b"-      &quot;tag:owner&quot;" in page
    assert b"+      &quot;tag:team&quot;" in page


def test_a_violation_shows_the_values_that_decided(
    policy: Policy, tenant: Tenant, users: dict[Role, User]
) -> None:
    with tenant_transaction(tenant.id):
        job = start_policy_scan(send=False)
    run_job(tenant.id, job.pk)
    with tenant_transaction(tenant.id):
        violation = Violation.objects.get(resource__name="bucket-0")
        compliant = Resource.objects.get(name="bucket-1")
    client = browser(users[Role.VIEWER])
    page = client.get(reverse("findings:violation-detail", args=[violation.pk])).content
    assert b"<code>missing</code>" in page
    address = reverse("findings:policy-explain", args=[policy.pk])
    page = client.get(address, {"resource": compliant.native_id}).content
    assert b"compliant" in page
    told = client.get(f"/api/v1/violations/{violation.pk}/explanation/").json()
    assert told["outcome"] == "violation"
    assert "missing" in {part["actual"] for part in told["leaves"]}


def test_a_pasted_policy_is_checked_before_it_is_saved(
    policy: Policy, tenant: Tenant, users: dict[Role, User]
) -> None:
    client = browser(users[Role.OPERATOR])
    text = UNOWNED_BUCKETS.replace("bucket-has-owner", "pasted")
    page = client.post(reverse("findings:policy-paste"), {"text": text, "check": "1"}).content
    assert b"would open 2 and close 0" in page
    with tenant_transaction(tenant.id):
        assert Policy.objects.count() == 1
    assert client.post(reverse("findings:policy-paste"), {"text": text, "save": "1"}).status_code == 302
    with tenant_transaction(tenant.id):
        assert Policy.objects.count() == 2
    page = client.post(reverse("findings:policy-paste"), {"text": "a: 1", "save": "1"})
    assert page.status_code == 422


def test_one_resource_is_scanned_from_its_page(
    policy: Policy, tenant: Tenant, users: dict[Role, User]
) -> None:
    with tenant_transaction(tenant.id):
        resource = Resource.objects.get(name="bucket-0")
    browser(users[Role.OPERATOR]).post(reverse("findings:resource-scan", args=[resource.pk]))
    with tenant_transaction(tenant.id):
        assert Job.objects.get(type="scans.policy").params == {"mode": "full", "resource_id": resource.pk}


def test_the_api_previews_a_definition(policy: Policy, users: dict[Role, User]) -> None:
    definition = {"name": "x", "resource": "aws.s3", "filters": [{"tag:owner": "ada"}]}
    body = {"language": "custodian", "definition": definition}
    answer = browser(users[Role.OPERATOR]).post(
        "/api/v1/policies/preview/", json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    # Samples come in the order of ids, which are hashes of the tenant's.
    assert answer.json()["opens"] == 2
    assert {sample["name"] for sample in answer.json()["opening"]} == {"bucket-1", "bucket-3"}
