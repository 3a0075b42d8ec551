"""Imports out of a bucket of a connected AWS account: by the command, the API and the page."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from decimal import Decimal
from typing import Any

import boto3
import pytest
from django.core.management import call_command
from django.db.models import Sum

from apps.catalog.models import ImportRun, Policy, Resource
from apps.catalog.services.buckets import split_address
from apps.core.context import tenant_transaction
from apps.core.errors import InvalidInput
from apps.costs.models import CostLine
from apps.jobs.models import Job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.tokens import SCOPES
from tests.fixtures.clients import browser, program
from tests.fixtures.clouds import HOME_ACCOUNT, REGION, connect_aws
from tests.fixtures.costs import focus_csv, focus_row
from tests.fixtures.estate import bucket as resource_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(moto_endpoint: str) -> Any:
    """An empty bucket of the home account at the moto server."""
    s3 = boto3.resource(
        "s3", endpoint_url=moto_endpoint, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )
    return s3.create_bucket(
        Bucket=f"bills-{uuid.uuid4().hex[:12]}", CreateBucketConfiguration={"LocationConstraint": REGION}
    )


def run(tenant: Tenant, *more: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("costs", "import", "--tenant", tenant.slug, *more, "--json", stdout=out)
    return dict(json.loads(out.getvalue()))


def test_a_bill_is_imported_from_a_bucket_once(tenant: Tenant, moto_endpoint: str, bucket: Any) -> None:
    connect_aws(tenant, moto_endpoint)
    bucket.put_object(
        Key="cur/2026-05/part-1.csv.gz", Body=gzip.compress(focus_csv([focus_row(1), focus_row(2)]))
    )
    address = f"s3://{bucket.name}/cur/2026-05/part-1.csv.gz"
    first = run(tenant, address)
    assert (first["read"], first["written"], first["refused"]) == (2, 2, 0)
    again = run(tenant, address, "--account", HOME_ACCOUNT)
    assert (again["written"], again["unchanged"]) == (0, 2)
    with tenant_transaction(tenant.id):
        assert ImportRun.objects.filter(source=address).count() == 2


def test_all_under_a_prefix_is_one_delivery(tenant: Tenant, moto_endpoint: str, bucket: Any) -> None:
    connect_aws(tenant, moto_endpoint)
    for number in range(3):
        bucket.put_object(Key=f"focus/a/{number}.csv", Body=focus_csv([focus_row(number, BilledCost="0.1")]))
    bucket.put_object(Key=f"focus/{'é' * 300}.csv", Body=focus_csv([focus_row(8, BilledCost="0.1")]))
    bucket.put_object(Key="focus/", Body=b"")
    bucket.put_object(Key="focus-other/9.csv", Body=focus_csv([focus_row(9)]))
    told = run(tenant, f"s3://{bucket.name}/focus/")
    assert (told["read"], told["written"]) == (4, 4)
    with tenant_transaction(tenant.id):
        assert CostLine.objects.aggregate(total=Sum("billed_cost"))["total"] == Decimal("0.4")


def test_what_is_not_there_or_not_allowed_is_named(tenant: Tenant, moto_endpoint: str, bucket: Any) -> None:
    def error(address: str) -> str:
        out = io.StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("costs", "import", "--tenant", tenant.slug, address, "--json", stdout=out)
        assert ended.value.code == 1
        return str(json.loads(out.getvalue())["error"])

    assert "No aws account is connected" in error(f"s3://{bucket.name}/x.csv")
    connect_aws(tenant, moto_endpoint)
    bucket.put_object(Key="x.csv.old", Body=focus_csv([focus_row(1)]))
    assert f"nothing at s3://{bucket.name}/x.csv" in error(f"s3://{bucket.name}/x.csv")
    assert "bucket does not exist" in error("s3://no-such-bucket-of-ours/x.csv")
    assert "s3://BUCKET/KEY" in error("s3://bucket")
    with tenant_transaction(tenant.id):
        assert not CostLine.objects.exists()


@pytest.mark.parametrize(
    "address", ["s3://", "s3://b/k", "s3://UPPER/k", "s3://bucket", "s3://bucket/", "s4://bucket/k"]
)
def test_a_malformed_address_is_named(address: str) -> None:
    with pytest.raises(InvalidInput, match="s3://BUCKET/KEY") as refused:
        split_address(address)
    assert refused.value.field == "address"


def test_policies_and_inventory_come_out_of_a_bucket_too(
    tenant: Tenant, moto_endpoint: str, bucket: Any
) -> None:
    connect_aws(tenant, moto_endpoint)
    pack = "policies:\n  - name: tagged\n    resource: aws.s3\n    filters: [{'tag:owner': absent}]\n"
    bucket.put_object(Key="governance/pack.yml", Body=pack.encode())
    bucket.put_object(Key="governance/estate.ndjson", Body=json.dumps(resource_row(1)).encode())

    def imported(command: str, key: str) -> dict[str, Any]:
        out = io.StringIO()
        words = (command, "import", "--tenant", tenant.slug, f"s3://{bucket.name}/governance/{key}", "--json")
        call_command(*words, stdout=out)
        return dict(json.loads(out.getvalue()))

    policies = imported("policies", "pack.yml")
    assert (policies["compiled"], policies["unsupported"], policies["failed"]) == (1, 0, 0)
    assert imported("inventory", "estate.ndjson")["written"] == 1
    with tenant_transaction(tenant.id):
        assert list(Policy.objects.values_list("name", flat=True)) == ["tagged"]
        assert Resource.objects.get().name == "bucket-1"


def test_the_page_offers_the_connected_accounts_alone(
    tenant: Tenant, moto_endpoint: str, users: dict[Role, User]
) -> None:
    page = browser(users[Role.OPERATOR])
    assert b"None is connected" in page.get("/imports/new/").content
    connect_aws(tenant, moto_endpoint)
    assert f'value="{HOME_ACCOUNT}"' in page.get("/imports/new/").content.decode()
    asked = {"kind": "costs", "address": "s3://bills/2026/x.csv", "account": "999988887777"}
    assert page.post("/imports/new/", asked).status_code == 422
    assert page.post("/imports/new/", asked | {"account": HOME_ACCOUNT}).status_code == 302


def test_the_api_and_the_page_take_an_address_instead_of_a_file(
    tenant: Tenant, users: dict[Role, User]
) -> None:
    client = program(users[Role.OPERATOR], list(SCOPES))
    asked = {"kind": "costs", "address": "s3://bills/2026/", "account": HOME_ACCOUNT}
    made = client.post("/api/v1/imports/", asked)
    assert made.status_code == 202, made.content
    assert client.post("/api/v1/imports/", {"kind": "costs"}).json()["errors"]["file"]
    assert client.post("/api/v1/imports/", asked | {"address": "http://x/y"}).status_code == 400
    page = browser(users[Role.OPERATOR])
    address = "/imports/new/"
    assert page.post(address, {"kind": "costs", "address": "s3://bills/2026/x.csv"}).status_code == 302
    wrong = page.post(address, {"kind": "costs", "address": "http://bills/x.csv"})
    assert (wrong.status_code, b"s3://BUCKET/KEY" in wrong.content) == (422, True)
    assert page.post(address, {"kind": "costs"}).status_code == 422
    with tenant_transaction(tenant.id):
        jobs = Job.objects.filter(type="costs.import").order_by("created_at", "pk")
        assert [(job.params["address"], job.params["account"]) for job in jobs] == [
            ("s3://bills/2026/", HOME_ACCOUNT),
            ("s3://bills/2026/x.csv", None),
        ]
