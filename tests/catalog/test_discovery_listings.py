"""AWS by AWS Config's aggregator and by Resource Explorer: real boto3 against a stateful fake in front of moto."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from django.db import transaction

from apps.catalog.models import Resource
from apps.catalog.models_discovery import DiscoveryScope
from apps.catalog.services.discovery import discover
from apps.connectors import listing
from apps.core.context import tenant_scope, tenant_transaction
from apps.core.errors import InvalidInput, Refused, TransientFailure
from apps.tenancy.cloud_accounts import change_account, create_account
from apps.tenancy.models import CloudAccount, Tenant
from tests.fakes.aws_listings import FakeListings
from tests.fixtures.clouds import HOME_ACCOUNT, PREFIX, REGION, allow, connect_aws, empty_moto

pytestmark = pytest.mark.django_db
OTHER = "eu-west-2"


class Told:
    def __init__(self) -> None:
        self.job_id = uuid.uuid4()

    def checkpoint(self, done: int | None = None, total: int | None = None, note: str | None = None) -> None:
        pass


@pytest.fixture
def fake(moto_endpoint: str) -> Iterator[FakeListings]:
    empty_moto(moto_endpoint)
    with FakeListings(moto_endpoint, HOME_ACCOUNT) as made:
        yield made


@pytest.fixture
def account(tenant: Tenant, fake: FakeListings, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudAccount]:
    monkeypatch.setattr(listing.time, "sleep", lambda seconds: None)
    connected = connect_aws(tenant, fake.url, regions=[REGION, OTHER], listing="config")
    assert connected.status == "connected", connected.problem
    with tenant_scope(tenant.id):
        yield connected


def states(prefix: str = "aws.") -> dict[str, str | None]:
    with transaction.atomic():
        return dict(Resource.objects.filter(type__startswith=prefix).values_list("name", "status"))


def run(account: CloudAccount, told: Told | None = None) -> dict[str, Any]:
    return dict(discover(account_id=account.pk, progress=told or Told()))


def queues(fake: FakeListings, *names: str, region: str = REGION) -> None:
    for name in names:
        arn = f"arn:aws:sqs:{region}:{HOME_ACCOUNT}:{name}"
        fake.add_item(
            "AWS::SQS::Queue",
            name,
            region,
            {"QueueUrl": name},
            arn=arn,
            tags=[{"key": "team", "value": "web"}],
        )


# --- AWS Config ----------------------------------------------------------------------------------------
def test_what_config_holds_lands_in_the_services_own_shape_and_what_left_is_gone(
    account: CloudAccount, fake: FakeListings
) -> None:
    fake.page = 2
    fake.recorders = {
        REGION: {"allSupported": True, "includeGlobalResourceTypes": True},
        OTHER: {"allSupported": True},
    }
    queues(fake, *(f"q{n}" for n in range(5)))
    queues(fake, "elsewhere", region=OTHER)
    role = f"arn:aws:iam::{HOME_ACCOUNT}:role/desk"
    fake.add_item("AWS::IAM::Role", "desk", "global", {"roleName": "desk", "arn": role}, arn=role)
    fake.add_item("AWS::EC2::Instance", "i-1", REGION, {"instanceId": "i-1", "state": {"name": "running"}})
    theirs = {"accountId": "999988887777"}
    fake.add_item("AWS::SQS::Queue", "theirs", REGION, {}, **theirs)
    result = run(account)
    assert (result["resources"], result["refused"], result["scopes_failed"]) == (8, 0, 0)
    assert set(states()) == {"q0", "q1", "q2", "q3", "q4", "elsewhere", "desk", "i-1"}
    with transaction.atomic():
        one = Resource.objects.select_related("document").get(name="i-1")
        assert (one.type, one.status, one.location, one.account) == (
            "aws.ec2",
            "running",
            REGION,
            HOME_ACCOUNT,
        )
        assert one.document.properties["InstanceId"] == "i-1"
        assert Resource.objects.get(name="q1").tags == {"team": "web"}
    again = run(account)
    assert (again["written"], again["gone"]) == (0, 0)
    del fake.items[role], fake.items[f"arn:aws:sqs:{REGION}:{HOME_ACCOUNT}:q3"]
    assert run(account)["gone"] == 2
    assert [states()[name] for name in ("desk", "q3", "q4", "elsewhere")] == [
        "deleted",
        "deleted",
        None,
        None,
    ]


def test_what_config_does_not_record_is_left_alone(account: CloudAccount, fake: FakeListings) -> None:
    fake.recorders = {
        REGION: {"resourceTypes": ["AWS::SQS::Queue"]},
        OTHER: {"allSupported": True, "stopped": True},
    }
    queues(fake, "here")
    queues(fake, "there", region=OTHER)
    with transaction.atomic():
        for name, type_, place in (("there", "aws.sqs", OTHER), ("topic", "aws.sns", REGION)):
            Resource.objects.create(
                id=f"r-{name}",
                provider="aws",
                type=type_,
                name=name,
                account=HOME_ACCOUNT,
                location=place,
                native_id=name,
            )
    run(account)
    assert states() == {"here": None, "there": None, "topic": None}
    with transaction.atomic():
        assert list(DiscoveryScope.objects.values_list("type", "region")) == [("aws.sqs", REGION)]


def test_excluded_types_are_no_scopes(account: CloudAccount, fake: FakeListings) -> None:
    fake.recorders = {
        REGION: {
            "allSupported": False,
            "exclusionByResourceTypes": {"resourceTypes": ["AWS::SQS::Queue"]},
            "recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"},
        }
    }
    queues(fake, "unseen")
    run(account)
    assert states() == {}
    with transaction.atomic():
        listed = set(DiscoveryScope.objects.values_list("type", "region"))
    assert ("aws.sqs", REGION) not in listed
    assert {("aws.ec2", REGION), ("aws.iam-role", "global")} <= listed


def test_a_listing_that_breaks_off_deletes_nothing_and_goes_on_where_it_was(
    account: CloudAccount, fake: FakeListings
) -> None:
    fake.page = 2
    fake.recorders = {REGION: {"resourceTypes": ["AWS::SQS::Queue"]}}
    queues(fake, *(f"q{n}" for n in range(6)))
    run(account)
    for name in ("q0", "q5"):
        del fake.items[f"arn:aws:sqs:{REGION}:{HOME_ACCOUNT}:{name}"]
    told = Told()
    # Aggregators, status, recorders, the first page; then nothing answers.
    for _ in range(4):
        fake.let()
    fake.break_(times=200, status=503)
    with pytest.raises(TransientFailure):
        run(account, told)
    assert set(states().values()) == {None}, "half a listing says nothing of what it did not come by"
    fake.heal()
    fake.calls.clear()
    result = run(account, told)
    assert result["gone"] == 2
    assert {name for name, state in states().items() if state == "deleted"} == {"q0", "q5"}


def test_a_storm_of_429_slows_it_and_loses_nothing(account: CloudAccount, fake: FakeListings) -> None:
    fake.page = 1
    fake.recorders = {REGION: {"resourceTypes": ["AWS::SQS::Queue"]}}
    queues(fake, *(f"q{n}" for n in range(6)))
    for _ in range(10):
        fake.throttle(2, match="POST")
        fake.let()
    assert run(account)["resources"] == 6


@pytest.mark.parametrize("what", ["aggregator", "recorder", "denied"])
def test_why_config_gives_no_data_is_said(account: CloudAccount, fake: FakeListings, what: str) -> None:
    if what == "aggregator":
        fake.aggregators = [{"ConfigurationAggregatorName": "x", "AccountAggregationSources": [
            {"AccountIds": ["999988887777"], "AllAwsRegions": True}]}]  # fmt: skip
    if what == "denied":
        fake.refuse(403, match="POST /", times=100)
    with pytest.raises(Refused):
        run(account)
    with tenant_transaction(account.tenant_id):
        account.refresh_from_db()
    words = {
        "aggregator": "No aggregator of AWS Config",
        "recorder": "records nothing",
        "denied": "does not allow",
    }
    assert words[what] in account.problem


# --- Resource Explorer ---------------------------------------------------------------------------------
def explored(account: CloudAccount, fake: FakeListings, moto: str) -> None:
    fake.indexed = {REGION, OTHER, "us-east-1"}
    with transaction.atomic():
        change_account(account=account, listing="explorer")
    for n in range(5):
        fake.add_resource("sns:topic", f"arn:aws:sns:{REGION}:{HOME_ACCOUNT}:t{n}", REGION, team="web")
    fake.add_resource(
        "cloudfront:distribution", f"arn:aws:cloudfront::{HOME_ACCOUNT}:distribution/D1", "global"
    )
    fake.add_resource("ec2:instance", f"arn:aws:ec2:{REGION}:{HOME_ACCOUNT}:instance/i-9", REGION)
    boto3.client(
        "sqs", region_name=REGION, endpoint_url=moto, aws_access_key_id=os.environ[f"{PREFIX}_ACCESS_KEY_ID"],
        aws_secret_access_key="trial",
    ).create_queue(QueueName="deep")  # fmt: skip


def test_resource_explorer_adds_what_the_describe_calls_do_not_know(
    account: CloudAccount, fake: FakeListings, moto_endpoint: str
) -> None:
    fake.page = 2
    explored(account, fake, moto_endpoint)
    run(account)
    found = states("")
    assert {"t0", "t1", "t2", "t3", "t4", "D1", "deep"} <= set(found)
    assert "i-9" not in found, "the describe calls know instances, and say what they are"
    with transaction.atomic():
        topic = Resource.objects.select_related("document").get(name="t3")
        assert (topic.type, topic.location, topic.tags) == ("sns:topic", REGION, {"team": "web"})
        assert topic.document.properties["Arn"] == topic.native_id
    assert run(account)["written"] == 0
    del fake.resources[f"arn:aws:sns:{REGION}:{HOME_ACCOUNT}:t1"]
    assert run(account)["gone"] == 1
    found = states("")
    assert [found[name] for name in ("t1", "t2", "D1", "deep")] == ["deleted", None, None, None]


def test_a_region_without_an_index_is_said_and_nothing_of_it_is_gone(
    account: CloudAccount, fake: FakeListings, moto_endpoint: str
) -> None:
    explored(account, fake, moto_endpoint)
    run(account)
    fake.indexed = {OTHER, "us-east-1"}
    fake.resources.clear()
    result = run(account)
    assert (result["scopes_failed"], result["gone"]) == (1, 1), "what has no region was listed, and is gone"
    assert states("sns:") == {f"t{n}": None for n in range(5)}
    with tenant_transaction(account.tenant_id):
        account.refresh_from_db()
    assert "*:* in eu-west-1" in account.problem


# --- The choice ----------------------------------------------------------------------------------------
def test_only_aws_has_a_choice(tenant: Tenant) -> None:
    allow(tenant, "environment:AZ", provider="azure")
    with tenant_scope(tenant.id), transaction.atomic():
        with pytest.raises(InvalidInput, match="one way only"):
            create_account(
                provider="azure",
                account="0b1f6471-1bf0-4dda-aec3-cb9272f09590",
                credential="environment:AZ",
                listing="config",
            )
        with pytest.raises(InvalidInput, match="must be one of"):
            create_account(
                provider="azure",
                account="0b1f6471-1bf0-4dda-aec3-cb9272f09590",
                credential="environment:AZ",
                listing="x",
            )
