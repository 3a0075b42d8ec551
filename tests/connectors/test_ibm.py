"""The IBM Cloud connector against a stateful IBM Cloud on loopback, by IBM's own SDK and botocore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.clouds import connect
from apps.connectors.errors import CloudConflict, CloudDenied, CloudInvalid, CloudUnsupported
from apps.connectors.ibm import changes
from apps.connectors.ibm.cloud import IbmCloud
from apps.connectors.ibm.credential import authenticator_for
from apps.connectors.ibm.storage_client import storage_client
from tests.fakes.ibm import ACCOUNT, FakeIbm

NOBODY = CredentialReference("environment", {"prefix": "NOBODY_IBM"})


@pytest.fixture
def ibm() -> Iterator[FakeIbm]:
    with FakeIbm() as fake:
        yield fake


@pytest.fixture
def cloud(ibm: FakeIbm) -> IbmCloud:
    opened = connect(AccountAccess("ibm", ACCOUNT, NOBODY, endpoint_url=ibm.url))
    assert isinstance(opened, IbmCloud)
    return opened


def test_the_account_is_proven_by_its_default_group(ibm: FakeIbm, cloud: IbmCloud) -> None:
    assert cloud.identity() == ACCOUNT
    ibm.deny()
    with pytest.raises(CloudDenied, match="need a role"):
        cloud.identity()


def test_records_are_those_of_a_search_export(ibm: FakeIbm, cloud: IbmCloud) -> None:
    ibm.add_machine("web1", tags={"env": "prod", "watched": ""})
    (machine,) = (record for page in cloud.pages() for record in page.records)
    assert (machine.type, machine.status, machine.region) == ("ibm.is-instance", "running", "eu-de")
    assert machine.tags == {"env": "prod", "watched": ""}
    assert machine.group_name == "rg-web"


def test_another_value_of_a_tag_takes_the_old_ones_place(ibm: FakeIbm, cloud: IbmCloud) -> None:
    machine = ibm.add_machine("web1", tags={"env": "dev", "watched": ""})
    changes.attach_tags(cloud, machine, {"env": "prod"})
    assert changes.read_tags(cloud, machine) == {"watched": "", "env": "prod"}


def test_an_error_of_one_resource_inside_a_200_is_an_error(ibm: FakeIbm, cloud: IbmCloud) -> None:
    machine = ibm.add_machine("web1")
    with pytest.raises(CloudConflict, match="does not exist"):
        changes.attach_tags(cloud, machine + "x", {"env": "prod"})


def test_policies_for_other_buckets_and_for_all_stay(ibm: FakeIbm, cloud: IbmCloud) -> None:
    site, other = ibm.add_bucket("site"), ibm.add_bucket("other")
    wide = ibm.add_policy(site)
    attributes = ibm.policies[wide]["resources"][0]["attributes"]
    ibm.policies[wide]["resources"][0]["attributes"] = attributes[:3]  # every bucket of the instance
    changes.delete_public_policies(cloud, site)
    assert len(ibm.policies) == 2
    assert wide in ibm.policies
    assert len(changes.read_bucket(cloud, other, "eu-de")["public_policies"]) == 1


@pytest.mark.parametrize("location", [None, "global", "", "eu.de/evil", "a b"])
def test_a_bucket_whose_region_nothing_tells_is_refused(ibm: FakeIbm, location: str | None) -> None:
    bucket = ibm.add_bucket("site")
    real = connect(AccountAccess("ibm", ACCOUNT, CredentialReference("workload_identity", {"name": "web"})))
    with pytest.raises(CloudInvalid):
        changes.read_bucket(real, bucket, location)  # type: ignore[arg-type]


def test_what_is_of_another_account_is_refused(ibm: FakeIbm, cloud: IbmCloud) -> None:
    machine = ibm.add_machine("web1").replace(ACCOUNT, "f" * 32)
    with pytest.raises(CloudInvalid, match="not of account"):
        changes.read_tags(cloud, machine)


def test_object_storage_is_called_with_ibms_token_and_no_key_of_ours(
    ibm: FakeIbm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ibm_cloud_sdk_core.authenticators import BearerTokenAuthenticator

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOURS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    ibm.add_bucket("site")
    heard: list[dict[str, str]] = []
    routed = ibm._block
    ibm._block = lambda request: (heard.append(request.headers), routed(request))[1]  # type: ignore[method-assign]
    client = storage_client(f"{ibm.url}/cos", "eu-de", BearerTokenAuthenticator("t-123"))
    with pytest.raises(client.exceptions.ClientError):
        client.get_public_access_block(Bucket="site")
    assert heard[0]["authorization"] == "Bearer t-123"
    assert "AKIAOURS" not in str(heard)


def test_credentials_are_read_where_the_reference_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = AccountAccess("ibm", ACCOUNT, NOBODY)
    with pytest.raises(CloudDenied, match="NOBODY_IBM_API_KEY"):
        authenticator_for(access)
    monkeypatch.setenv("NOBODY_IBM_API_KEY", "k-1")
    assert type(authenticator_for(access)).__name__ == "IAMAuthenticator"
    path = tmp_path / "key.json"
    path.write_text('{"name": "desk", "key": "hunter2"}')
    with pytest.raises(CloudDenied) as refused:
        authenticator_for(AccountAccess("ibm", ACCOUNT, CredentialReference("file", {"path": str(path)})))
    assert "hunter2" not in str(refused.value)
    with pytest.raises(CloudUnsupported):
        authenticator_for(
            AccountAccess("ibm", ACCOUNT, CredentialReference("assume_role", {"role_arn": "x"}))
        )
