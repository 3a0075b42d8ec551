"""Policy import: each definition ends compiled or refused with its place and reason; versions are kept."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from apps.catalog.models import ImportRefusal, ImportRun, Policy, PolicyVersion
from apps.catalog.services import (
    import_policies,
    set_policy_parameters,
    set_policy_severity,
    set_policy_status,
)
from apps.core.errors import IllegalTransition, InvalidInput
from apps.tenancy.models import Tenant
from tests.fixtures.estate import UNOWNED_BUCKETS, import_policy

pytestmark = pytest.mark.django_db


def azure(rule: dict[str, Any], **properties: Any) -> bytes:
    definition = {"displayName": "Storage is private", "mode": "Indexed", "policyRule": rule} | properties
    return json.dumps({"name": "storage-private", "properties": definition}).encode()


PRIVATE = {
    "if": {
        "allOf": [
            {"field": "type", "equals": "Microsoft.Storage/storageAccounts"},
            {"field": "location", "in": ["westeurope"]},
        ]
    },
    "then": {"effect": "audit"},
}


def load(raw: bytes, name: str = "policy.json") -> ImportRun:
    return import_policies(source=io.BytesIO(raw), name=name)


def test_a_custodian_policy_is_compiled_and_active(in_tenant: Tenant) -> None:
    run = import_policy(UNOWNED_BUCKETS)
    policy = Policy.objects.get()
    assert (policy.name, policy.language, policy.status, policy.severity) == (
        "bucket-has-owner",
        "custodian",
        "active",
        "high",
    )
    assert (run.summary["compiled"], run.summary["unsupported"], run.summary["failed"]) == (1, 0, 0)
    assert policy.versions.get().definition["filters"] == [{"tag:owner": "absent"}]


def test_an_azure_policy_is_compiled_and_active(in_tenant: Tenant) -> None:
    load(azure(PRIVATE))
    policy = Policy.objects.get()
    assert (policy.name, policy.provider, policy.effect, policy.status) == (
        "Storage is private",
        "azure",
        "audit",
        "active",
    )
    assert policy.metadata["resource_types"] == ["microsoft.storage/storageaccounts"]


def test_what_the_engine_can_not_decide_is_kept_with_its_place_and_reason(in_tenant: Tenant) -> None:
    run = load(
        azure({"if": {"value": "[requestContext().apiVersion]", "less": "2024"}, "then": {"effect": "deny"}})
    )
    policy = Policy.objects.get()
    assert policy.status == "unsupported"
    (refusal,) = policy.metadata["refusals"]
    assert refusal["path"]
    assert "requestContext" in refusal["reason"]
    assert run.summary["reasons"] == {refusal["reason"]: 1}
    assert ImportRefusal.objects.get().reason == refusal["reason"]


def test_importing_again_changes_nothing_and_a_change_is_a_new_version(in_tenant: Tenant) -> None:
    load(azure(PRIVATE))
    before = list(Policy.objects.values())
    assert load(azure(PRIVATE)).rows_unchanged == 1
    assert list(Policy.objects.values()) == before
    load(azure(PRIVATE, displayName="Storage stays private"))
    policy = Policy.objects.get()
    assert (policy.name, policy.current_version) == ("Storage stays private", 2)
    assert list(PolicyVersion.objects.order_by("number").values_list("number", flat=True)) == [1, 2]


def test_what_people_set_survives_an_import(in_tenant: Tenant) -> None:
    load(azure(PRIVATE))
    set_policy_status(policy=Policy.objects.get(), status="disabled")
    load(azure(PRIVATE, displayName="Renamed"))
    assert Policy.objects.get().status == "disabled"


def test_a_severity_that_people_gave_survives_an_import(in_tenant: Tenant) -> None:
    load(azure(PRIVATE))
    set_policy_severity(policy=Policy.objects.get(), severity="critical")
    assert load(azure(PRIVATE)).rows_unchanged == 1
    load(azure(PRIVATE, displayName="Renamed"))
    assert Policy.objects.values_list("name", "severity").get() == ("Renamed", "critical")


def test_a_required_parameter_waits_for_its_value(in_tenant: Tenant) -> None:
    rule = {"if": {"field": "location", "notIn": "[parameters('allowed')]"}, "then": {"effect": "audit"}}
    load(azure(rule, parameters={"allowed": {"type": "Array"}}))
    policy = Policy.objects.get()
    assert policy.status == "needs_parameters"
    assert policy.metadata["missing_parameters"] == ["allowed"]
    set_policy_parameters(policy=policy, parameters={"allowed": ["westeurope"]})
    policy.refresh_from_db()
    assert (policy.status, policy.parameters) == ("active", {"allowed": ["westeurope"]})


def test_a_parameter_of_the_wrong_kind_is_refused_and_changes_nothing(in_tenant: Tenant) -> None:
    rule = {"if": {"field": "location", "notIn": "[parameters('allowed')]"}, "then": {"effect": "audit"}}
    load(azure(rule, parameters={"allowed": {"type": "Array"}}))
    with pytest.raises(InvalidInput):
        set_policy_parameters(policy=Policy.objects.get(), parameters={"allowed": 7})
    assert Policy.objects.get().parameters == {}


def test_a_refused_policy_can_not_be_enabled(in_tenant: Tenant) -> None:
    load(
        azure({"if": {"value": "[requestContext().apiVersion]", "less": "2024"}, "then": {"effect": "deny"}})
    )
    with pytest.raises(IllegalTransition):
        set_policy_status(policy=Policy.objects.get(), status="active")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"", "empty.json"),
        (b"{", "cut.json"),
        (b"just text", "text.yml"),
        (b'{"hello": "world"}', "other.json"),
        (b"a: &a [*a]", "loop.yml"),
        (b"\xff\xfe", "utf16.json"),
        (b"policies:\n  - name: x\n    name: y\n    resource: aws.s3\n", "twice.yml"),
    ],
)
def test_a_policy_that_is_no_policy_is_refused_and_changes_nothing(
    in_tenant: Tenant, raw: bytes, name: str
) -> None:
    run = load(raw, name)
    assert run.status == "succeeded"
    assert (run.rows_written, run.rows_refused) == (0, 1)
    assert ImportRefusal.objects.get().reason
    assert Policy.objects.count() == 0


def test_two_different_policies_of_one_name_are_both_kept_and_stay_apart(
    in_tenant: Tenant, tmp_path: Path
) -> None:
    (tmp_path / "a.yml").write_text(UNOWNED_BUCKETS)
    (tmp_path / "b.yml").write_text(
        UNOWNED_BUCKETS.replace("owner", "team").replace("bucket-has-team", "bucket-has-owner")
    )
    import_policies(source=tmp_path, name="folder")
    before = set(Policy.objects.values_list("pk", "current_version"))
    assert len(before) == 2
    assert import_policies(source=tmp_path, name="folder").rows_unchanged == 2
    assert set(Policy.objects.values_list("pk", "current_version")) == before


def test_a_folder_is_read_without_following_links(in_tenant: Tenant, tmp_path: Path) -> None:
    inside = tmp_path / "pack"
    inside.mkdir()
    (tmp_path / "secret.yml").write_text(UNOWNED_BUCKETS)
    (inside / "link.yml").symlink_to(tmp_path / "secret.yml")
    run = import_policies(source=inside, name="pack")
    assert (run.rows_written, run.rows_refused) == (0, 1)
    assert "link" in ImportRefusal.objects.get().reason


def test_a_zip_is_read_and_its_ways_out_are_refused(in_tenant: Tenant) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("good/policy.yml", UNOWNED_BUCKETS)
        archive.writestr("../evil.yml", UNOWNED_BUCKETS)
        archive.writestr("readme.txt", "hello")
    run = load(packed.getvalue(), "pack.zip")
    assert (run.rows_written, run.rows_refused) == (1, 1)
