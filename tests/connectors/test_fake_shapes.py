"""The fakes' answers beside public recordings of the real services: a fake invents no member and no type."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.azure import SUBSCRIPTION, FakeAzure
from tests.fakes.gcp import PROJECT, FakeGcp
from tests.fakes.ibm import ACCOUNT, FakeIbm

ROOT = Path(__file__).resolve().parents[2]
RECORDED = Path(os.environ.get("CORPORA_DIR", ROOT.parent / "shared" / "corpora")) / "recorded"
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"the public recordings are not in {RECORDED}")

# Members whose own members are the user's.
FREE = ("tags", "labels")


def ask(url: str, body: Any = None, method: str | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def invented(given: Any, recorded: Any, path: str = "", known: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths of members that `given` has and `recorded` has not, or of another type. Lists go by all elements."""
    if path in known or given is None or recorded is None:
        return
    if isinstance(given, dict) and isinstance(recorded, dict):
        for key, value in given.items():
            inner = f"{path}.{key}".lstrip(".")
            if key not in recorded:
                if inner not in known:
                    yield inner
            elif key not in FREE:
                yield from invented(value, recorded[key], inner, known)
    elif isinstance(given, list) and isinstance(recorded, list):
        if recorded:
            for value in given:
                yield from invented(value, _merged(recorded), f"{path}[]", known)
    elif type(given) is not type(recorded):
        yield f"{path}: {type(given).__name__}, not {type(recorded).__name__}"


def _merged(values: list[Any]) -> Any:
    """One element that has the members of all."""
    if all(isinstance(value, dict) for value in values):
        return {key: value for each in reversed(values) for key, value in each.items()}
    return values[0]


def _cassette(name: str, method: str, part: str) -> Any:
    """The body of the first interaction of this method whose address has this part."""
    held = json.loads((RECORDED / "azure_c7n_cassettes" / name).read_text())
    for each in held["interactions"]:
        if each["request"]["method"] == method and part in each["request"]["uri"]:
            return each["response"]["body"]["data"]
    raise AssertionError(f"{name} has no {method} {part}")


def _flight(name: str) -> Any:
    return json.loads((RECORDED / "gcp_c7n_flights" / name).read_text())["body"]


def _mock(service: str, operation: str) -> Any:
    return json.loads((RECORDED / "ibm_sdk_mock_responses" / service).read_text())[operation]["body"]


def test_azure_tags_and_machines() -> None:
    with FakeAzure() as fake:
        machine = fake.add_machine("web1", tags={"a": "b"})
        tags = f"{fake.url}{machine}/providers/Microsoft.Resources/tags/default"
        patched = ask(tags, {"operation": "Merge", "properties": {"tags": {"c": "d"}}}, "PATCH")
        shown = ask(f"{fake.url}{machine}")
    recorded = "FunctionalActionsTagsTest.test_tag.json"
    assert list(invented(patched, _cassette(recorded, "PATCH", "/tags/default"))) == []
    assert list(invented(shown, _cassette(recorded, "GET", "/cctestvm?"))) == []


def test_azure_storage_accounts() -> None:
    with FakeAzure() as fake:
        account = fake.add_storage("acct1", public=None)
        body = {"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}}
        patched = ask(f"{fake.url}{account}", body, "PATCH")
    recorded = _cassette(
        "StorageTestFirewallActions.test_bypass_network_rules_action.json", "PATCH", "/storageAccounts/"
    )
    assert list(invented(patched, recorded)) == []


def test_azure_resource_graph() -> None:
    with FakeAzure() as fake:
        for number in range(3):
            fake.add_machine(f"web{number}")
        body = {
            "subscriptions": [SUBSCRIPTION],
            "query": "resources | order by id asc",
            "options": {"$top": 1},
        }
        answer = ask(f"{fake.url}/providers/Microsoft.ResourceGraph/resources", body)
    recorded = _cassette(
        "ResourceGraphSource.test_resource_graph_and_arm_sources_vm_are_equivalent.json",
        "POST",
        "ResourceGraph",
    )
    columns = {column["name"] for column in recorded["data"]["columns"]}
    assert answer["data"][0].keys() == columns
    assert {"totalRecords", "count", "data"} <= answer.keys() & recorded.keys()
    example = json.loads((RECORDED / "azure_rest_examples" / "resourcegraph_nextpage.json").read_text())
    told = example["responses"]["200"]["body"]
    assert answer.keys() - {"facets"} == told.keys()
    assert isinstance(answer["resultTruncated"], type(told["resultTruncated"]))


def test_gcp_asset_search() -> None:
    with FakeGcp() as fake:
        fake.add_machine("web1", labels={"a": "b"})
        answer = ask(
            f"{fake.url}/v1/projects/{PROJECT}:searchAllResources?assetTypes=compute.googleapis.com/Instance"
        )
    recorded = _flight(
        "instance-asset-query/get-v1p1beta1-projects-cloud-custodian-resources-searchAll_1.json"
    )
    # `state` came after this recording, with v1.
    assert list(invented(answer, recorded, known=("results[].state",))) == []


def test_gcp_compute() -> None:
    with FakeGcp() as fake:
        fake.add_machine("web1", labels={"a": "b"})
        where = f"{fake.url}/compute/v1/projects/{PROJECT}/zones/europe-west1-b/instances/web1"
        shown = ask(where)
        body = {"labels": {"c": "d"}, "labelFingerprint": shown["labelFingerprint"]}
        labelled, stopped = ask(f"{where}/setLabels", body), ask(f"{where}/stop", {})
    place = "projects-cloud-custodian-zones-us-central1"
    read = _flight(f"instance-get/get-compute-v1-{place}-b-instances-c7n-jenkins_1.json")
    assert list(invented(shown, read, known=("labels", "metadata.items"))) == []
    assert (
        list(
            invented(
                labelled,
                _flight(f"instance-label/post-compute-v1-{place}-c-instances-test-ingwar-setLabels_1.json"),
            )
        )
        == []
    )
    assert (
        list(
            invented(
                stopped, _flight(f"instance-stop/post-compute-v1-{place}-c-instances-instance-1-stop_1.json")
            )
        )
        == []
    )


def test_gcp_buckets() -> None:
    with FakeGcp() as fake:
        fake.add_bucket("site", labels={"a": "b"})
        shown, policy = ask(f"{fake.url}/storage/v1/b/site"), ask(f"{fake.url}/storage/v1/b/site/iam")
        patched = ask(f"{fake.url}/storage/v1/b/site", {"labels": {"c": "d"}}, "PATCH")
    assert list(invented(shown, _flight("bucket-label/get-storage-v1-b-c7n-bucket_1.json"))) == []
    assert list(invented(patched, _flight("bucket-label/patch-storage-v1-b-c7n-bucket_1.json"))) == []
    iam = _flight(
        "bucket-set-iam-policy-add-and-remove/get-storage-v1-b-iam-test-bucket-wuc48fhtok-iam_1.json"
    )
    assert list(invented(policy, iam)) == []


def test_ibm_search_and_tags() -> None:
    with FakeIbm() as fake:
        machine = fake.add_machine("web1", tags={"a": "b"})
        found = ask(f"{fake.url}/v3/resources/search?limit=5&account_id={ACCOUNT}", {"query": "*"})
        listed = ask(f"{fake.url}/v3/tags?attached_to={machine}&limit=1")
        attached = ask(
            f"{fake.url}/v3/tags/attach", {"resources": [{"resource_id": machine}], "tag_names": ["c:d"]}
        )
    recorded = _mock("global_search_v2.json", "Search")
    # The mock shows of an item only what is always there.
    open_item = {**recorded, "items": []}
    assert list(invented(found, open_item)) == []
    assert found["items"][0].keys() >= recorded["items"][0].keys()
    assert list(invented(listed, _mock("global_tagging_v1.json", "ListTags"))) == []
    assert list(invented(attached, _mock("global_tagging_v1.json", "AttachTag"))) == []


def test_what_a_fake_invents_is_found() -> None:
    assert list(invented({"a": 1, "b": {"c": []}}, {"a": "1", "b": {}})) == ["a: int, not str", "b.c"]
