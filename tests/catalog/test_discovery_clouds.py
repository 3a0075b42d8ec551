"""Discovery of Azure, Google Cloud and IBM Cloud, by their own SDKs against stateful fakes, through the job's service."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from apps.catalog.models import Resource, ResourceProperties
from apps.catalog.services import check_account
from apps.catalog.services.discoveries import why_no_data
from apps.catalog.services.discovery import discover
from apps.connectors import listing
from apps.connectors.azure import inventory as azure_inventory
from apps.connectors.gcp import inventory as gcp_inventory
from apps.connectors.ibm import inventory as ibm_inventory
from apps.core.context import tenant_scope, tenant_transaction
from apps.core.errors import Refused, TransientFailure
from apps.tenancy.cloud_accounts import create_account
from apps.tenancy.models import CloudAccount, Tenant
from tests.fakes import azure, gcp, ibm
from tests.fakes.server import Fake
from tests.fixtures.clouds import allow

pytestmark = pytest.mark.django_db

INVENTORIES: dict[str, Any] = {"azure": azure_inventory, "gcp": gcp_inventory, "ibm": ibm_inventory}
ACCOUNTS = {"azure": azure.SUBSCRIPTION, "gcp": gcp.PROJECT, "ibm": ibm.ACCOUNT}
MADE: dict[str, Callable[[], Fake]] = {"azure": azure.FakeAzure, "gcp": gcp.FakeGcp, "ibm": ibm.FakeIbm}
EACH, SIZE = 10, 8

each_cloud = pytest.mark.parametrize("provider", sorted(MADE))


class Told:
    """What a discovery sees of its job."""

    def __init__(self) -> None:
        self.job_id = uuid.uuid4()

    def checkpoint(self, done: int | None = None, total: int | None = None, note: str | None = None) -> None:
        pass


@pytest.fixture
def fake(provider: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(listing.time, "sleep", lambda seconds: None)
    inventory = INVENTORIES[provider]
    monkeypatch.setattr(inventory, "pages", functools.partial(inventory.pages, size=SIZE))
    with MADE[provider]() as made:
        for number in range(EACH):
            made.add_machine(f"machine{number:02}")  # type: ignore[attr-defined]
            (made.add_storage if provider == "azure" else made.add_bucket)(f"store{number:02}")  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def account(tenant: Tenant, provider: str, fake: Fake) -> Iterator[CloudAccount]:
    reference = f"environment:NOBODY_{provider.upper()}"
    allow(tenant, reference, provider=provider, endpoint=fake.url)
    with tenant_scope(tenant.id):
        with tenant_transaction(tenant.id):
            row = create_account(provider=provider, account=ACCOUNTS[provider], credential=reference)
        proven = check_account(account_id=row.pk)
        assert (proven.status, proven.problem) == ("connected", "")
        yield proven


def found() -> dict[str, str | None]:
    with transaction.atomic():
        return dict(Resource.objects.values_list("name", "status"))


def expected() -> set[str]:
    return {f"{kind}{number:02}" for kind in ("machine", "store") for number in range(EACH)}


@each_cloud
def test_what_is_there_lands_and_what_goes_is_marked(provider: str, fake: Any, account: CloudAccount) -> None:
    result = discover(account_id=account.pk, progress=Told())
    assert (result["refused"], result["gone"]) == (0, 0)
    assert found().keys() >= expected()
    assert found()["machine03"] == "running"
    with transaction.atomic():
        machine = Resource.objects.get(name="machine03")
        assert (machine.provider, machine.account) == (provider, ACCOUNTS[provider])
        assert ResourceProperties.objects.get(pk=machine.pk).properties
        native_id = machine.native_id
    fake.lose(native_id)
    again = discover(account_id=account.pk, progress=Told())
    assert (again["gone"], again["written"]) == (1, 0), "and an unchanged row is not written"
    assert found()["machine03"] == "deleted"
    assert found()["machine04"] == "running"


@each_cloud
def test_a_storm_and_an_interruption_lose_nothing_and_mark_nothing(
    provider: str, fake: Any, account: CloudAccount
) -> None:
    told = Told()
    for _ in range(2):
        fake.throttle(3, 0)
        fake.let()
    fake.break_(times=10_000)
    with pytest.raises(TransientFailure):
        discover(account_id=account.pk, progress=told)
    assert all(status != "deleted" for status in found().values())
    fake.heal()
    discover(account_id=account.pk, progress=told)
    assert found().keys() >= expected()
    assert all(status != "deleted" for status in found().values())


@each_cloud
def test_rights_that_are_taken_away_are_said_on_screen(
    provider: str, fake: Any, account: CloudAccount
) -> None:
    discover(account_id=account.pk, progress=Told())
    fake.deny()
    try:
        discover(account_id=account.pk, progress=Told())
    except Refused as refused:
        assert "need a role" in str(refused)
    with transaction.atomic():
        said = why_no_data(CloudAccount.objects.get(pk=account.pk))
    assert "need a role" in said, said
    assert all(status != "deleted" for status in found().values())
