"""Discovery against moto and against fakes: what is there lands, what is gone is marked, halfway marks nothing."""

from __future__ import annotations

import resource as process
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from django.db import transaction
from django.utils import timezone

from apps.catalog.models import ImportRefusal, Resource, ResourceProperties
from apps.catalog.models_discovery import DiscoveryScope, DiscoverySeen
from apps.catalog.services import check_account, start_discovery
from apps.catalog.services.discoveries import (
    BETWEEN_DISCOVERIES,
    discover_soon,
    start_due_discoveries,
    why_no_data,
)
from apps.catalog.services.discovery import discover
from apps.connectors.errors import CloudDenied, CloudThrottled
from apps.connectors.files.ndjson import record_of_row
from apps.connectors.listing import Page, records_of
from apps.connectors.records import Refusal
from apps.core.context import tenant_scope, tenant_transaction
from apps.core.errors import Refused, TransientFailure
from apps.findings.models import Violation
from apps.jobs.commands import run_here
from apps.jobs.models import Job
from apps.tenancy.cloud_accounts import disconnect_account
from apps.tenancy.models import CloudAccount, Tenant
from tests.fixtures.clouds import HOME_ACCOUNT, PREFIX, REGION, connect_aws, empty_moto
from tests.fixtures.estate import UNOWNED_BUCKETS, import_policy

pytestmark = pytest.mark.django_db


class Told:
    """What a discovery sees of its job."""

    def __init__(self) -> None:
        self.job_id = uuid.uuid4()
        self.notes: list[str] = []

    def checkpoint(self, done: int | None = None, total: int | None = None, note: str | None = None) -> None:
        self.notes.append(f"{done}/{total} {note}")


def client(endpoint: str, service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="AKIATRIAL",
        aws_secret_access_key="trial",
    )


@pytest.fixture
def account(tenant: Tenant, moto_endpoint: str) -> Iterator[CloudAccount]:
    """Connected to an empty cloud, and within its tenant's context."""
    empty_moto(moto_endpoint)
    connected = connect_aws(tenant, moto_endpoint)
    with tenant_scope(tenant.id):
        yield connected


def states(type_: str) -> dict[str, str | None]:
    with transaction.atomic():
        return dict(Resource.objects.filter(type=type_).values_list("name", "status"))


def test_what_boto3_makes_is_discovered_judged_and_found_gone(
    account: CloudAccount, moto_endpoint: str
) -> None:
    s3, ec2 = client(moto_endpoint, "s3"), client(moto_endpoint, "ec2")
    place = {"LocationConstraint": REGION}
    for name in ("papers", "scans"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
    with transaction.atomic():
        import_policy(UNOWNED_BUCKETS)
        job = start_discovery(account=account, send=False)
        assert start_discovery(account=account).pk == job.pk, "one at a time"
    done = run_here(job)
    assert done.status == "succeeded", done.error
    assert (done.result or {})["gone"] == 0
    assert states("aws.s3") == {"papers": None, "scans": None}
    assert states("aws.ebs")[volume] == "available"
    with transaction.atomic():
        bucket = Resource.objects.get(name="papers")
        assert (bucket.account, bucket.location) == (HOME_ACCOUNT, REGION)
        assert ResourceProperties.objects.get(pk=bucket.pk).properties["Versioning"] == {}
        assert not DiscoverySeen.objects.exists()
        asked = Job.objects.get(type="scans.policy")
    run_here(asked)
    assert open_violations() == {"papers", "scans"}

    s3.delete_bucket(Bucket="papers")
    with transaction.atomic():
        job = start_discovery(account=account, send=False)
    again = run_here(job).result or {}
    assert (again["gone"], again["written"]) == (1, 0), "and an unchanged row is not written"
    assert states("aws.s3") == {"papers": "deleted", "scans": None}
    with transaction.atomic():
        asked = Job.objects.filter(type="scans.policy", status="queued").latest("created_at")
    run_here(asked)
    assert open_violations() == {"scans"}
    s3.create_bucket(Bucket="papers", CreateBucketConfiguration=place)
    discover(account_id=account.pk, progress=Told())
    assert states("aws.s3") == {"papers": None, "scans": None}


def open_violations() -> set[str]:
    with transaction.atomic():
        return set(Violation.objects.filter(status="open").values_list("resource__name", flat=True))


def test_an_empty_account_says_so(account: CloudAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, {("", ""): [[]]})
    discover(account_id=account.pk, progress=Told())
    assert why(account) == f"Nothing was found: the account is empty in {REGION}."


def test_an_account_that_holds_but_its_own_summary_is_empty(
    account: CloudAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, {("aws.account", "global"): [["summary"]], ("aws.s3", "global"): [[]]})
    discover(account_id=account.pk, progress=Told())
    assert why(account) == f"Nothing was found: the account is empty in {REGION}."


def why(account: CloudAccount) -> str:
    with transaction.atomic():
        return why_no_data(CloudAccount.objects.get(pk=account.pk))


def test_why_there_is_no_data(account: CloudAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why(account) == "It has not been discovered yet."
    with transaction.atomic():
        long_ago = timezone.now() - timedelta(days=9)
        CloudAccount.objects.filter(pk=account.pk).update(discovered_at=long_ago)
    assert why(account).startswith("The data is stale: the last discovery was 9 days")
    monkeypatch.delenv(f"{PREFIX}_ACCESS_KEY_ID")
    with pytest.raises(Refused, match=f"{PREFIX}_ACCESS_KEY_ID is not set"):
        discover(account_id=account.pk, progress=Told())
    assert "The credentials are missing" in why(account)
    monkeypatch.setenv(f"{PREFIX}_ACCESS_KEY_ID", "AKIATRIAL")
    assert check_account(account_id=account.pk).problem == ""
    with transaction.atomic():
        disconnect_account(account=CloudAccount.objects.get(pk=account.pk))
    assert "disconnected" in why(account)
    with pytest.raises(Refused, match="disconnected"):
        discover(account_id=account.pk, progress=Told())


# A lister of our own in place of AWS's: {scope: [page, …]}, a page being names or an error to raise.


def bucket_row(name: str) -> dict[str, Any]:
    return {
        "id": f"arn:aws:s3:::{name}",
        "provider": "aws",
        "type": "aws.s3",
        "name": name,
        "account": HOME_ACCOUNT,
        "location": REGION,
        "properties": {"Name": name},
    }


def fake(monkeypatch: pytest.MonkeyPatch, pages: dict[tuple[str, str], list[Any]]) -> list[tuple[Any, Any]]:
    asked: list[tuple[Any, Any]] = []

    def page_of(cloud: Any, scope: tuple[str, str], token: str | None) -> Page:
        asked.append((scope, token))
        number = int(token or 0)
        page = pages[scope][number]
        if isinstance(page, Exception):
            raise page
        more = number + 1 < len(pages[scope])
        rows = [bucket_row(name) for name in page]
        return Page(records_of(rows, record_of_row), str(number + 1) if more else None)

    monkeypatch.setattr("apps.catalog.services.discovery.scopes_of", lambda cloud: tuple(pages))
    monkeypatch.setattr("apps.catalog.services.discovery.page_of", page_of)
    return asked


SCOPE = ("aws.s3", "global")


def test_a_listing_that_is_left_halfway_marks_nothing_and_goes_on_where_it_was(
    account: CloudAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, {SCOPE: [["old", "kept"]]})
    discover(account_id=account.pk, progress=Told())
    told = Told()
    storm = CloudThrottled("Too many calls.", retry_after=1)
    asked = fake(monkeypatch, {SCOPE: [["kept"], storm, ["new"]]})
    with pytest.raises(TransientFailure, match="Too many calls"):
        discover(account_id=account.pk, progress=told)
    assert asked == [(SCOPE, None), (SCOPE, "1")]
    assert states("aws.s3") == {"old": None, "kept": None}
    assert "Too many calls" in why(account)
    asked = fake(monkeypatch, {SCOPE: [["kept"], ["more"], ["new"]]})
    result = discover(account_id=account.pk, progress=told)
    assert asked == [(SCOPE, "1"), (SCOPE, "2")], "the first page is not asked for again"
    assert (result["resources"], result["gone"]) == (3, 1)
    assert states("aws.s3") == {"old": "deleted", "kept": None, "more": None, "new": None}
    assert why(account) == ""


def test_what_can_not_be_read_is_told_and_marks_nothing(
    account: CloudAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ("aws.ec2", REGION)
    fake(monkeypatch, {SCOPE: [["a", "b"]]})
    discover(account_id=account.pk, progress=Told())
    denied = CloudDenied("AWS does not allow s3:ListBuckets.", operation="s3:ListBuckets")
    fake(monkeypatch, {SCOPE: [["a"], denied], other: [[]]})
    result = discover(account_id=account.pk, progress=Told())
    assert (result["scopes_failed"], result["gone"]) == (1, 0)
    assert states("aws.s3") == {"a": None, "b": None}
    assert "1 of 2 parts could not be read. aws.s3 in global: AWS does not allow" in why(account)
    with transaction.atomic():
        assert set(DiscoveryScope.objects.values_list("status", flat=True)) == {"failed", "complete"}


def test_a_bucket_whose_details_are_denied_is_refused_and_not_gone(
    account: CloudAccount, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = client(moto_endpoint, "s3")
    s3.create_bucket(Bucket="papers", CreateBucketConfiguration={"LocationConstraint": REGION})
    discover(account_id=account.pk, progress=Told())
    from apps.connectors.aws.cloud import AwsCloud

    call = AwsCloud.call

    def deny(self: Any, service: str, method: str, region: str | None = None, /, **request: Any) -> Any:
        if method == "get_bucket_encryption":
            raise CloudDenied("not allowed", operation="s3:GetBucketEncryption")
        return call(self, service, method, region, **request)

    monkeypatch.setattr(AwsCloud, "call", deny)
    result = discover(account_id=account.pk, progress=Told())
    assert (result["refused"], result["gone"]) == (1, 0)
    assert states("aws.s3") == {"papers": None}
    with transaction.atomic():
        refusal = ImportRefusal.objects.latest("pk")
    assert refusal.native_id == "arn:aws:s3:::papers"
    assert "could not be read: not allowed" in refusal.reason


def test_the_schedule_starts_what_is_due(account: CloudAccount) -> None:
    with transaction.atomic():
        assert start_due_discoveries() == 0
        CloudAccount.objects.filter(pk=account.pk).update(
            discover_every_minutes=60, discovery_due_at=timezone.now() - timedelta(hours=1)
        )
        assert start_due_discoveries() == 1
        assert start_due_discoveries() == 0
        assert Job.objects.get(type="inventory.discover").params["account_id"] == str(account.pk)


def test_progress_names_scopes_and_pages(account: CloudAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, {SCOPE: [["a"], ["b"], ["c"]]})
    told = Told()
    discover(account_id=account.pk, progress=told)
    assert any("0/1 2 resources; aws.s3 in global: page 2" in note for note in told.notes)
    assert told.notes[-1].startswith("1/1 3 resources")


@pytest.mark.slow
def test_memory_stays_flat_over_a_hundred_thousand_resources(
    account: CloudAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 scopes of 2,000 in pages of 500, one call in ten put off by a 429 that the lister waits out."""
    from apps.connectors.listing import patiently

    calls = {"all": 0, "put off": 0}
    scopes = tuple(("aws.s3", f"region-{number}") for number in range(50))

    def page_of(cloud: Any, scope: tuple[str, str], token: str | None) -> Page:
        def ask() -> Page:
            calls["all"] += 1
            if calls["all"] % 10 == 0:
                calls["put off"] += 1
                raise CloudThrottled("storm", retry_after=0.001)
            start = int(token or 0)
            rows = [bucket_row(f"{scope[1]}-{start + n}") for n in range(500)]
            following = start + 500
            return Page(records_of(rows, record_of_row), str(following) if following < 2000 else None)

        return patiently(ask, sleep=lambda seconds: None)

    monkeypatch.setattr("apps.catalog.services.discovery.scopes_of", lambda cloud: scopes)
    monkeypatch.setattr("apps.catalog.services.discovery.page_of", page_of)
    before = process.getrusage(process.RUSAGE_SELF).ru_maxrss
    result = discover(account_id=account.pk, progress=Told())
    grown = process.getrusage(process.RUSAGE_SELF).ru_maxrss - before
    assert calls["put off"] > 10
    assert (result["resources"], result["written"], result["gone"]) == (100_000, 100_000, 0)
    assert grown < 60_000, f"{grown / 1024:.0f} MiB more"
    with tenant_transaction(account.tenant_id):
        assert Resource.objects.count() == 100_000
        assert not DiscoverySeen.objects.exists()


@pytest.mark.parametrize("type_", ["aws.s3", ""], ids=["of one type", "of any type"])
def test_what_is_listed_and_refused_is_not_taken_for_gone(
    account: CloudAccount, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    """A scope without a type (Azure, Google, IBM list everything at once) marked a refused row as deleted."""
    rows = [bucket_row("kept"), bucket_row("refused"), bucket_row("gone")]
    pages: list[Page] = [
        Page(records_of(rows, record_of_row), None),
        Page([*records_of(rows[:1], record_of_row), Refusal(0, "tags", "too large", rows[1]["id"])], None),
    ]
    monkeypatch.setattr("apps.catalog.services.discovery.scopes_of", lambda cloud: ((type_, ""),))
    monkeypatch.setattr("apps.catalog.services.discovery.page_of", lambda *asked: pages.pop(0))
    discover(account_id=account.pk, progress=Told())
    discover(account_id=account.pk, progress=Told())
    with tenant_transaction(account.tenant_id):
        found = dict(Resource.objects.filter(type="aws.s3").values_list("name", "status"))
    assert {name: found[name] for name in ("kept", "refused", "gone")} == {
        "kept": None, "refused": None, "gone": "deleted",
    }  # fmt: skip


def due(account: CloudAccount) -> Any:
    return CloudAccount.objects.values_list("discovery_due_at", flat=True).get(pk=account.pk)


def test_a_change_of_ours_makes_one_discovery_due_and_the_schedule_stays(account: CloudAccount) -> None:
    with transaction.atomic():
        CloudAccount.objects.filter(pk=account.pk).update(
            discover_every_minutes=600, discovery_due_at=timezone.now() + timedelta(hours=9)
        )
        changed = [(account.provider, account.account)] * 3 + [("gcp", "nobody"), ("aws", None)]
        discover_soon(accounts=changed)
        first = due(account)
        assert first <= timezone.now()
        discover_soon(accounts=changed)
        assert due(account) == first
        assert start_due_discoveries() == 1
        assert due(account) > timezone.now() + timedelta(hours=8)
        # It may have read the resource before the change: what is changed while it runs stays due.
        discover_soon(accounts=changed)
        assert start_due_discoveries() == 0
        assert due(account) <= timezone.now()
        Job.objects.update(status="succeeded")
        assert start_due_discoveries() == 1


def test_changes_soon_after_a_discovery_wait_a_little(account: CloudAccount) -> None:
    with transaction.atomic():
        CloudAccount.objects.filter(pk=account.pk).update(discovered_at=timezone.now())
        discover_soon(accounts=[(account.provider, account.account)])
        assert timezone.now() < due(account) <= timezone.now() + BETWEEN_DISCOVERIES
