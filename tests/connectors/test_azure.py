"""The Azure connector against a stateful Azure on loopback, by Azure's own SDK."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from apps.connectors import listing
from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.azure import changes, inventory
from apps.connectors.azure.cloud import AzureCloud
from apps.connectors.azure.credential import credential_for
from apps.connectors.clouds import connect
from apps.connectors.errors import CloudDenied, CloudGone, CloudInvalid, CloudThrottled, CloudUnsupported
from tests.fakes.azure import SUBSCRIPTION, FakeAzure

NOBODY = CredentialReference("environment", {"prefix": "NOBODY_AZURE"})


@pytest.fixture
def azure() -> Iterator[FakeAzure]:
    with FakeAzure() as fake:
        yield fake


@pytest.fixture
def cloud(azure: FakeAzure) -> AzureCloud:
    opened = connect(AccountAccess("azure", SUBSCRIPTION, NOBODY, endpoint_url=azure.url))
    assert isinstance(opened, AzureCloud)
    return opened


def test_the_subscription_is_proven_by_reading_it(azure: FakeAzure, cloud: AzureCloud) -> None:
    azure.add_machine("web1")
    assert cloud.identity() == SUBSCRIPTION


def test_another_subscription_is_denied_in_words(azure: FakeAzure) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    cloud = connect(AccountAccess("azure", other, NOBODY, endpoint_url=azure.url))
    with pytest.raises(CloudDenied, match="need a role"):
        cloud.identity()


def test_records_are_those_of_a_resource_graph_export(azure: FakeAzure, cloud: AzureCloud) -> None:
    azure.add_machine("web1", tags={"env": "prod"})
    azure.add_storage("acct1")
    (machine, account), (subscription, group) = (page.records for page in cloud.pages())
    assert (machine.type, machine.status, machine.tags) == (
        "microsoft.compute/virtualmachines",
        "running",
        {"env": "prod"},
    )
    assert (machine.account, machine.group_name, machine.region) == (SUBSCRIPTION, "rg-web", "westeurope")
    assert account.document["properties"]["allowBlobPublicAccess"] is True
    assert subscription.type == "microsoft.resources/subscriptions"
    assert group.type == "microsoft.resources/subscriptions/resourcegroups"


def test_a_used_up_quota_is_waited_for(
    azure: FakeAzure, cloud: AzureCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(inventory.time, "sleep", waits.append)
    for number in range(3):
        azure.add_storage(f"acct{number}")
    azure.quota = [("0", "00:00:05"), ("3", "00:00:05")]
    pages = list(inventory.pages(cloud, size=2))
    assert len(pages) == 3
    assert len(waits) == 1
    assert 4 < waits[0] <= 5


def test_a_forgotten_token_begins_the_table_anew(azure: FakeAzure, cloud: AzureCloud) -> None:
    for number in range(5):
        azure.add_storage(f"acct{number}")
    first = next(inventory.pages(cloud, size=2))
    azure.forgotten_tokens.add(json.loads(first.token)["skip"])
    rest = [record.name for page in inventory.pages(cloud, first.token, size=3) for record in page.records]
    assert rest[:5] == [f"acct{number}" for number in range(5)]


def test_a_token_of_something_else_is_refused(cloud: AzureCloud) -> None:
    with pytest.raises(CloudInvalid, match="no page token"):
        next(cloud.pages("abc"))


def test_patience_ends(azure: FakeAzure, cloud: AzureCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing.time, "sleep", lambda seconds: None)
    azure.throttle(1000)
    with pytest.raises(CloudThrottled):
        next(cloud.pages())
    assert len(azure.calls) == listing.ATTEMPTS


def test_network_rules_keep_what_they_had(azure: FakeAzure, cloud: AzureCloud) -> None:
    account = azure.add_storage("acct1")
    changes.set_default_action(cloud, account, "Deny")
    rules = azure.resources[account.lower()]["properties"]["networkAcls"]
    assert rules["defaultAction"] == "Deny"
    assert rules["ipRules"] == [{"value": "203.0.113.7", "action": "Allow"}]
    assert rules["bypass"] == "AzureServices"


def test_what_is_not_there_is_gone(cloud: AzureCloud) -> None:
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/x"
    with pytest.raises(CloudGone, match="was not found"):
        changes.read_storage(cloud, scope)
    with pytest.raises(CloudInvalid, match="is not the id of a"):
        changes.read_machine(cloud, scope)


@pytest.mark.parametrize(
    "tail",
    [
        "",
        "/resourceGroups/rg/providers/a.b/c/d?x=y",
        "/resourceGroups/../x",
        "/resourceGroups/rg/x#y",
        "/a b",
    ],
)
def test_ids_of_other_subscriptions_and_made_up_ones_reach_no_url(
    azure: FakeAzure, cloud: AzureCloud, tail: str
) -> None:
    other = "00000000-0000-4000-8000-000000000000" if not tail else SUBSCRIPTION
    for call in (
        lambda: changes.read_tags(cloud, f"/subscriptions/{other}{tail}"),
        lambda: changes.merge_tags(cloud, f"/subscriptions/{other}{tail}", {"a": "b"}),
        lambda: changes.deallocate_machine(
            cloud,
            f"/subscriptions/{other}{tail}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web1",
        ),
    ):
        with pytest.raises(CloudInvalid):
            call()
    assert azure.calls == []


def test_credentials_come_from_the_named_variables_or_say_which_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = AccountAccess("azure", SUBSCRIPTION, NOBODY)
    with pytest.raises(CloudDenied, match="NOBODY_AZURE_TENANT_ID, NOBODY_AZURE_CLIENT_ID"):
        credential_for(access)
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"NOBODY_AZURE_{name}", "11111111-2222-4333-8444-555555555555")
    assert type(credential_for(access)).__name__ == "ClientSecretCredential"


def test_a_credential_file_is_read_and_never_repeated(tmp_path) -> None:
    path = tmp_path / "principal.json"
    access = AccountAccess("azure", SUBSCRIPTION, CredentialReference("file", {"path": str(path)}))
    with pytest.raises(CloudDenied, match="can't be read"):
        credential_for(access)
    path.write_text('{"tenantId": "t", "clientSecret": "hunter2"}')
    with pytest.raises(CloudDenied) as refused:
        credential_for(access)
    assert "hunter2" not in str(refused.value)
    path.write_text('{"tenantId": "t-1", "clientId": "c", "clientSecret": "hunter2"}')
    assert type(credential_for(access)).__name__ == "ClientSecretCredential"


def test_a_role_to_assume_is_not_azures() -> None:
    access = AccountAccess("azure", SUBSCRIPTION, CredentialReference("assume_role", {"role_arn": "arn"}))
    with pytest.raises(CloudUnsupported, match="assume_role"):
        credential_for(access)


@pytest.mark.parametrize(
    ("provider", "package", "file"),
    [("azure", "azure", "azure.txt")],
)
def test_a_missing_sdk_names_the_file_to_install(provider: str, package: str, file: str) -> None:
    """In a process of its own, where the package can't be found."""
    script = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "{package}" or name.startswith("{package}."):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.clouds import connect
from apps.connectors.errors import CloudUnsupported
try:
    connect(AccountAccess("{provider}", "a", CredentialReference("environment", {{"prefix": "X"}})))
except CloudUnsupported as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ}, check=True
    )
    assert f"requirements/{file}" in run.stdout, run.stdout + run.stderr
