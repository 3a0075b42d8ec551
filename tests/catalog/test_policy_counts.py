"""Every definition of an import is in one count; an initiative's members keep their values and controls."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from apps.catalog.models import Policy
from apps.catalog.services import import_policies, policies
from apps.findings import policy_reader
from apps.tenancy.models import Tenant
from tests.fixtures.estate import import_policy

pytestmark = pytest.mark.django_db

CORPORA = Path(os.environ.get("CORPORA_DIR", Path(__file__).parents[2].parent / "shared" / "corpora"))

DEFINITION = {
    "id": "/providers/Microsoft.Authorization/policyDefinitions/where",
    "name": "where",
    "properties": {
        "displayName": "Where",
        "metadata": {"controls": {"iso": ["A.8.6"]}},
        "parameters": {"region": {"type": "String", "defaultValue": "westeurope"}},
        "policyRule": {
            "if": {"field": "location", "notEquals": "[parameters('region')]"},
            "then": {"effect": "audit"},
        },
    },
}


def member(name: str, groups: list[str], **parameters: Any) -> dict[str, Any]:
    return {
        "policyDefinitionId": DEFINITION["id"],
        "policyDefinitionReferenceId": name,
        "groupNames": groups,
        "parameters": {key: {"value": value} for key, value in parameters.items()},
    }


INITIATIVE = {
    "name": "set",
    "properties": {
        "displayName": "A set",
        "policyDefinitionGroups": [{"name": "NIST_SC-7"}, {"name": "NIST_AC-2"}],
        "policyDefinitions": [
            member("plain", ["NIST_SC-7"]),
            member("north", ["NIST_AC-2"], region="northeurope"),
        ],
    },
}


def test_an_initiatives_members_keep_their_values_and_controls(in_tenant: Tenant) -> None:
    run = import_policy(json.dumps([DEFINITION, INITIATIVE]))
    assert (run.summary["compiled"], run.summary["unsupported"]) == (3, 0)
    plain, north = Policy.objects.order_by("metadata__provider_id")
    assert plain.metadata["controls"] == {"iso": ["A.8.6"], "initiative": ["NIST_SC-7"]}
    assert plain.parameters == {}
    assert north.metadata["controls"] == {"iso": ["A.8.6"], "initiative": ["NIST_AC-2"]}
    assert north.metadata["provider_id"].endswith("#north")
    assert north.parameters == {"region": {"value": "northeurope"}}

    again = import_policy(json.dumps([DEFINITION, INITIATIVE]))
    assert (again.rows_written, again.rows_unchanged) == (0, 2)


def test_a_member_whose_definition_is_elsewhere_is_unsupported_by_name(in_tenant: Tenant) -> None:
    run = import_policy(json.dumps(INITIATIVE))
    assert run.summary["unsupported"] == 2
    assert all("policyDefinitions/where" in reason for reason in run.summary["reasons"])


def test_no_reason_is_cut(in_tenant: Tenant) -> None:
    many = [
        {**INITIATIVE["properties"]["policyDefinitions"][0], "policyDefinitionId": f"p{n}"}
        for n in range(300)
    ]
    run = import_policy(json.dumps({"name": "s", "properties": {"policyDefinitions": many}}))
    assert run.summary["unsupported"] == sum(run.summary["reasons"].values()) == 300


def test_a_file_without_a_policy_is_a_refusal_and_no_definition(in_tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "resource.json").write_text('{"type": "Microsoft.Storage/storageAccounts"}')
    (tmp_path / "broken.yml").write_text("a: [")
    (tmp_path / "good.json").write_text(json.dumps(DEFINITION))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config.json").write_text(json.dumps(DEFINITION))
    (tmp_path / "link.json").symlink_to(tmp_path / "good.json")
    run = import_policies(source=tmp_path, name="folder")
    assert {k: run.summary[k] for k in ("compiled", "unsupported", "failed")} == {
        "compiled": 1, "unsupported": 0, "failed": 0,
    }  # fmt: skip
    assert sorted(r.field.split(":")[0] for r in run.refusals.all()) == [
        "broken.yml",
        "link.json",
        "resource.json",
    ]


def test_a_checkout_below_a_folder_named_git_is_read(in_tenant: Tenant, tmp_path: Path) -> None:
    inside = tmp_path / ".git" / "checkout"
    inside.mkdir(parents=True)
    (inside / "good.json").write_text(json.dumps(DEFINITION))
    assert import_policies(source=inside, name="checkout").summary["compiled"] == 1


def test_a_zip_is_read_and_its_ways_out_are_refused(in_tenant: Tenant) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/good.json", json.dumps(DEFINITION))
        archive.writestr("../bad.json", json.dumps(DEFINITION))
    packed.seek(0)
    run = import_policies(source=packed, name="pack.zip")
    assert run.summary["compiled"] == 1
    assert [r.field for r in run.refusals.all()] == ["../bad.json"]


def _named(name: str) -> dict[str, Any]:
    return {**DEFINITION, "id": f"/definitions/{name}", "name": name}


def test_a_definition_that_the_engine_breaks_on_is_failed_and_its_neighbours_land(
    in_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = policy_reader.compile_policy

    def with_a_defect(document: dict[str, Any], **rest: Any) -> Any:
        if document["name"] == "bad":
            raise KeyError("a defect")
        return whole(document, **rest)

    monkeypatch.setattr(policy_reader, "compile_policy", with_a_defect)
    run = import_policy(json.dumps([_named("first"), _named("bad"), _named("last")]))
    assert run.status == "succeeded"
    assert (run.summary["compiled"], run.summary["unsupported"], run.summary["failed"]) == (2, 0, 1)
    (reason,) = run.summary["failures"].values()
    assert "KeyError" in reason
    assert [(r.native_id, r.reason) for r in run.refusals.all()] == [("bad", reason)]
    assert set(Policy.objects.values_list("metadata__provider_id", flat=True)) == {
        "/definitions/first", "/definitions/last",
    }  # fmt: skip


def test_a_definition_that_can_not_be_stored_is_failed_and_its_neighbours_land(
    in_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = policies._apply

    def with_a_defect(policy: Policy, *rest: Any, **more: Any) -> None:
        whole(policy, *rest, **more)
        if policy.metadata["provider_id"].endswith("bad"):
            Policy.objects.raw("SELECT no_such_column FROM policies")[0]

    monkeypatch.setattr(policies, "_apply", with_a_defect)
    run = import_policy(json.dumps([_named("first"), _named("bad"), _named("last")]))
    assert (run.summary["compiled"], run.summary["unsupported"], run.summary["failed"]) == (2, 0, 1)
    assert Policy.objects.count() == 2


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800"])
def test_what_a_database_does_not_take_is_refused_and_fails_nothing(in_tenant: Tenant, text: str) -> None:
    odd = json.dumps(_named("odd")).replace("westeurope", text)
    run = import_policy(f"[{json.dumps(_named('good'))}, {odd}]")
    assert (run.summary["compiled"], run.summary["unsupported"], run.summary["failed"]) == (1, 1, 0)


@pytest.mark.skipif(not (CORPORA / "policies").is_dir(), reason="the public corpora are not here")
def test_the_corpus_is_counted_whole(in_tenant: Tenant) -> None:
    # The related definitions alone are too many for a unit test: the command is run on all of it.
    run = import_policies(source=CORPORA / "policies" / "custodian", name="custodian")
    summary = run.summary
    refused_files = run.refusals.filter(reason="no policy found in it").count()
    assert summary["failed"] == 0
    assert summary["compiled"] + summary["unsupported"] + refused_files == run.rows_read
    assert sum(summary["reasons"].values()) == summary["unsupported"]
