"""The Google Cloud connector against a stateful Google Cloud on loopback, by Google's own SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.clouds import connect
from apps.connectors.errors import CloudConflict, CloudDenied, CloudInvalid, CloudThrottled, CloudUnsupported
from apps.connectors.gcp import compute, inventory, storage
from apps.connectors.gcp.cloud import GcpCloud
from apps.connectors.gcp.credential import credentials_for
from tests.fakes.gcp import PROJECT, FakeGcp

NOBODY = CredentialReference("environment", {"prefix": "NOBODY_GCP"})


@pytest.fixture
def google() -> Iterator[FakeGcp]:
    with FakeGcp() as fake:
        yield fake


@pytest.fixture
def cloud(google: FakeGcp) -> GcpCloud:
    opened = connect(AccountAccess("gcp", PROJECT, NOBODY, endpoint_url=google.url))
    assert isinstance(opened, GcpCloud)
    return opened


def _records(cloud: GcpCloud) -> dict:
    return {record.name: record for page in cloud.pages() for record in page.records}


def test_the_project_is_proven_by_searching_it(google: FakeGcp, cloud: GcpCloud) -> None:
    assert cloud.identity() == PROJECT
    google.deny()
    with pytest.raises(CloudDenied, match="need a role"):
        cloud.identity()


def test_a_record_is_that_of_an_asset_export_with_its_policy(google: FakeGcp, cloud: GcpCloud) -> None:
    google.add_bucket("site", labels={"env": "prod"})
    google.add_machine("web1", ssds=1)
    records = _records(cloud)
    bucket, machine = records["site"], records["web1"]
    assert bucket.type == "storage.googleapis.com/bucket"
    assert bucket.native_id == "//storage.googleapis.com/site"
    assert bucket.document["iamConfiguration"]["publicAccessPrevention"] == "inherited"
    roles = {binding["role"]: binding["members"] for binding in bucket.document["iamPolicy"]["bindings"]}
    assert "allUsers" in roles["roles/storage.objectViewer"]
    assert bucket.account == bucket.group_name == PROJECT
    assert "iamPolicy" not in machine.document
    assert machine.document["disks"][1] == {"kind": "compute#attachedDisk", "index": 1, "type": "SCRATCH"}
    assert (machine.location, machine.region) == ("europe-west1-b", "europe-west1")


def test_a_policy_that_is_gone_is_gone_from_the_record(google: FakeGcp, cloud: GcpCloud) -> None:
    google.add_bucket("site")
    assert "iamPolicy" in _records(cloud)["site"].document
    del google.policies["site"]
    record = _records(cloud)["site"]
    assert "iamPolicy" not in record.document
    assert record.part == "whole"


def test_the_newest_document_is_taken_and_else_what_the_search_knows() -> None:
    versions = [
        {"version": "v1", "resource": {"name": "a"}},
        {"version": "v1beta", "resource": {"name": "b"}},
    ]
    result = {"name": "//x/a", "assetType": "x/A", "labels": {"env": "prod"}, "versionedResources": versions}
    data = inventory.asset_of(result, None)["resource"]["data"]
    assert data == {"name": "a", "labels": {"env": "prod"}}
    known = inventory.asset_of(
        {"name": "//x/a", "assetType": "x/A", "displayName": "a", "state": "ACTIVE"}, None
    )
    assert known["resource"]["data"] == {"displayName": "a", "state": "ACTIVE"}


def test_labels_that_somebody_changes_meanwhile_are_kept(google: FakeGcp, cloud: GcpCloud) -> None:
    disk = google.add("disks", "d1", labels={"team": "web"})
    path = "zones/europe-west1-b/disks/d1"
    routed, meddled = google._get, []

    def meddle(request):
        answer = routed(request)
        if not meddled:
            meddled.append(True)
            shown = dict(answer.body)
            google._label(google.things[path], {"team": "web", "cost": "7"})
            return type(answer)(200, shown)
        return answer

    google._get = meddle  # type: ignore[method-assign]
    compute.change_labels(cloud, disk, {"env": "prod"}, {}, "k")
    assert google.things[path]["labels"] == {"team": "web", "cost": "7", "env": "prod"}


def test_labels_that_never_stand_still_end_in_a_conflict(google: FakeGcp, cloud: GcpCloud) -> None:
    disk = google.add("disks", "d1")
    google.refuse(412, "setLabels", times=1000)
    with pytest.raises(CloudConflict):
        compute.change_labels(cloud, disk, {"env": "prod"}, {}, "k")


def test_bindings_of_others_and_conditions_stay(google: FakeGcp, cloud: GcpCloud) -> None:
    bucket = google.add_bucket("site")
    condition = {"title": "soon", "expression": "request.time < timestamp('2027-01-01T00:00:00Z')"}
    google.policies["site"]["bindings"].append(
        {
            "role": "roles/storage.objectAdmin",
            "members": ["user:bob@northwind.example"],
            "condition": condition,
        }
    )
    google._etag(google.policies["site"])
    storage.remove_public(cloud, bucket)
    held = {binding["role"]: binding for binding in google.policies["site"]["bindings"]}
    assert held["roles/storage.objectViewer"]["members"] == ["user:ada@northwind.example"]
    assert held["roles/storage.objectAdmin"]["condition"] == condition


def test_the_same_key_is_the_same_request_to_google(google: FakeGcp, cloud: GcpCloud) -> None:
    machine = google.add_machine("web1")
    first = compute.stop_instance(cloud, machine, "key-1")
    again = compute.stop_instance(cloud, machine, "key-1")
    other = compute.stop_instance(cloud, machine, "key-2")
    assert first.response["operation"] == again.response["operation"] != other.response["operation"]


def test_a_403_about_rates_is_throttling(google: FakeGcp, cloud: GcpCloud) -> None:
    machine = google.add_machine("web1")
    google.denied = lambda: google.error(403, "rateLimitExceeded", "Rate limit exceeded")  # type: ignore[method-assign]
    google.deny()
    with pytest.raises(CloudThrottled):
        compute.read_instance(cloud, machine)


@pytest.mark.parametrize(
    "name",
    [
        "//compute.googleapis.com/projects/somebody-else/zones/a-b-c/instances/x",
        "//compute.googleapis.com/projects/webshop-prod/zones/a-b-c/routers/x",
        "//compute.googleapis.com/projects/webshop-prod/zones/a-b-c/instances/x?y=z",
        "//compute.googleapis.com/projects/webshop-prod/zones/../instances/x",
        "x",
    ],
)
def test_names_of_other_projects_and_things_are_refused(cloud: GcpCloud, name: str) -> None:
    with pytest.raises(CloudInvalid):
        compute.read_instance(cloud, name)


@pytest.mark.parametrize("name", ["", "a?b=c", "a/..", "UPPER", "-a"])
def test_what_is_no_buckets_name_reaches_no_url(google: FakeGcp, cloud: GcpCloud, name: str) -> None:
    with pytest.raises(CloudInvalid):
        storage.read_access(cloud, f"//storage.googleapis.com/{name}")
    assert google.calls == []


def test_credentials_are_read_where_the_reference_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = AccountAccess("gcp", PROJECT, NOBODY)
    with pytest.raises(CloudDenied, match="NOBODY_GCP_APPLICATION_CREDENTIALS"):
        credentials_for(access)
    path = tmp_path / "key.json"
    path.write_text('{"type": "service_account", "private_key": "hunter2"}')
    monkeypatch.setenv("NOBODY_GCP_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(CloudDenied) as refused:
        credentials_for(access)
    assert "hunter2" not in str(refused.value)
    workload = AccountAccess("gcp", PROJECT, CredentialReference("workload_identity", {"name": "default"}))
    assert type(credentials_for(workload)).__name__ == "Credentials"
    with pytest.raises(CloudUnsupported):
        credentials_for(AccountAccess("gcp", PROJECT, CredentialReference("assume_role", {"role_arn": "x"})))
