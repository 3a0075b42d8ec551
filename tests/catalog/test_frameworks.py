"""Frameworks come from the library, files and initiatives; mappings from definitions, files and people."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from apps.audit.models import Audit
from apps.catalog.framework_drafts import control_code
from apps.catalog.models import Control, Framework, PolicyControl
from apps.catalog.services import import_framework_file, import_policies, install_framework, set_retention
from apps.catalog.services.framework_files import library
from apps.catalog.services.mappings import map_policy, unmap_policy
from apps.core.errors import InvalidInput, StaleState
from apps.tenancy.models import Tenant
from tests.fixtures.rows import make_policy

pytestmark = pytest.mark.django_db
STARTER = Path(__file__).parents[2] / "apps" / "catalog" / "starter"


def pairs(**narrowed: Any) -> set[tuple[str, str, str]]:
    rows = PolicyControl.objects.filter(removed_at=None, **narrowed)
    return set(rows.values_list("control__framework__key", "control__code", "policy__metadata__provider_id"))


def policy_file(name: str, controls: dict[str, list[str]]) -> io.BytesIO:
    metadata = {"severity": "high", "controls": controls}
    policy = {"name": name, "resource": "aws.s3", "metadata": metadata, "filters": [{"tag:owner": "absent"}]}
    return io.BytesIO(json.dumps({"policies": [policy]}).encode())


def initiative(groups: list[dict[str, str]], members: list[list[str]]) -> bytes:
    rule = {
        "if": {"field": "type", "equals": "microsoft.storage/storageaccounts"},
        "then": {"effect": "audit"},
    }
    definitions = [
        {"name": f"def-{n}", "properties": {"displayName": f"D{n}", "policyRule": rule, "mode": "All"}}
        for n in range(len(members))
    ]
    whole = {
        "name": "our-set",
        "properties": {
            "displayName": "Our set",
            "policyDefinitionGroups": groups,
            "policyDefinitions": [
                {
                    "policyDefinitionId": f"/providers/Microsoft.Authorization/policyDefinitions/def-{n}",
                    "policyDefinitionReferenceId": f"ref-{n}",
                    "groupNames": names,
                }
                for n, names in enumerate(members)
            ],
        },
    }
    return json.dumps([*definitions, whole]).encode()


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("AC-2(1)", "ac-2.1"),
        ("AC-02(01)", "ac-2.1"),
        ("ac-2.1", "ac-2.1"),
        ("SC-28", "sc-28"),
        ("A.8.24", "a.8.24"),
        ("8.24", "c-8.24"),
        ("Azure_Security_Benchmark_v3.0_NS-2", "azure_security_benchmark_v3.0_ns-2"),
    ],
)
def test_a_label_gives_an_oscal_id(label: str, code: str) -> None:
    assert control_code(label) == code


def test_the_library_has_the_frameworks_it_promises() -> None:
    found = {key: [c for c in draft.controls if not c.is_group] for key, draft in library().items()}
    assert set(found) == {
        "baseline-aws",
        "baseline-azure",
        "baseline-gcp",
        "baseline-ibm",
        "iso-27001-2022",
        "nist-800-53-r5",
    }
    annex = {
        f"a.{chapter}.{n}"
        for chapter, last in ((5, 37), (6, 8), (7, 14), (8, 34))
        for n in range(1, last + 1)
    }
    assert {c.code for c in found["iso-27001-2022"]} == annex
    nist = {c.code: c.title for c in found["nist-800-53-r5"]}
    assert len(nist) == 298 and nist["ac-2"] == "Account Management" and nist["sr-12"] == "Component Disposal"
    assert {c.code.split("-")[0] for c in found["nist-800-53-r5"]} == {
        "ac", "at", "au", "ca", "cm", "cp", "ia", "ir", "ma", "mp", "pe", "pl", "pm", "ps", "pt", "ra", "sa", "sc", "si", "sr",
    }  # fmt: skip


def test_the_starter_policies_serve_every_control_of_the_baselines(in_tenant: Tenant) -> None:
    import_policies(source=STARTER, name="starter")
    for key in library():
        install_framework(key=key)
    assert {f.key for f in Framework.objects.all()} == set(library())
    baselines = Control.objects.filter(framework__key__startswith="baseline-", is_group=False)
    assert not baselines.exclude(pk__in=PolicyControl.objects.values("control")).exists()
    named = {p for draft in library().values() for c in draft.controls for p in c.policies}
    assert named == {p for f, _, p in pairs() if f.startswith("baseline-")}


def test_a_definition_brings_its_frameworks_and_follows_its_own_changes(in_tenant: Tenant) -> None:
    import_policies(source=policy_file("p", {"nist-800-53-r5": ["AC-2(1)", "SC-28"]}), name="p.json")
    assert pairs() == {("nist-800-53-r5", "ac-2.1", "p"), ("nist-800-53-r5", "sc-28", "p")}
    enhancement = Control.objects.get(code="ac-2.1")
    assert enhancement.parent is not None and enhancement.parent.code == "ac-2"
    import_policies(source=policy_file("p", {"nist-800-53-r5": ["SC-28"]}), name="p.json")
    assert pairs() == {("nist-800-53-r5", "sc-28", "p")}
    ended = PolicyControl.objects.get(control=enhancement)
    assert ended.removed_at is not None and ended.removal == "followed"
    assert Audit.objects.filter(action="catalog.mappings.removed").count() == 1
    # Installing again retires nothing that policies alone had named.
    install_framework(key="nist-800-53-r5")
    assert Control.objects.get(code="ac-2.1").retired_at is None


def test_what_was_taken_away_by_hand_is_not_brought_back_by_an_import(in_tenant: Tenant) -> None:
    source = {"nist-800-53-r5": ["SC-28"]}
    import_policies(source=policy_file("p", source), name="p.json")
    unmap_policy(mapping=PolicyControl.objects.get())
    import_policies(source=policy_file("p", source), name="p.json")
    assert pairs() == set()
    with pytest.raises(StaleState):
        unmap_policy(mapping=PolicyControl.objects.get())


def test_an_initiative_brings_its_control_groups(in_tenant: Tenant) -> None:
    groups = [
        {"name": "NS-1", "displayName": "Networks are cut", "category": "Network"},
        {"name": "DP-3", "displayName": "Data moves encrypted", "category": "Data"},
    ]
    raw = initiative(groups, [["NS-1", "DP-3"], ["DP-3", "XX-9"]])
    import_policies(source=io.BytesIO(raw), name="set.json")
    framework = Framework.objects.get(key="our-set")
    assert (framework.title, framework.source) == ("Our set", "initiative")
    controls = {c.label: c.title for c in Control.objects.filter(framework=framework, is_group=False)}
    assert controls == {"NS-1": "Networks are cut", "DP-3": "Data moves encrypted", "XX-9": ""}
    assert {(c, p) for f, c, p in pairs() if f == "our-set"} == {
        ("ns-1", "def-0"), ("dp-3", "def-0"), ("dp-3", "def-1"), ("xx-9", "def-1"),
    }  # fmt: skip
    assert (
        Control.objects.get(label="NS-1").parent.title
        or Control.objects.get(label="NS-1").parent.label == "Network"
    )


def test_an_initiative_file_is_a_framework_file_too(in_tenant: Tenant) -> None:
    done = import_framework_file(raw=initiative([{"name": "NS-1"}], [["NS-1"]]), name="set.json")
    assert done == {"frameworks": ["our-set"]}


def test_an_oscal_catalogue_is_read(in_tenant: Tenant) -> None:
    catalog = {
        "catalog": {
            "uuid": "x",
            "metadata": {"title": "Ours, in OSCAL", "version": "2"},
            "groups": [
                {
                    "id": "ac",
                    "title": "Access",
                    "controls": [
                        {
                            "id": "ac-1",
                            "title": "Rules",
                            "props": [{"name": "label", "value": "AC-1"}],
                            "controls": [{"id": "ac-1.1", "title": "More rules"}],
                        },
                        {"id": "ac-9", "title": "Gone", "props": [{"name": "status", "value": "withdrawn"}]},
                    ],
                }
            ],
        }
    }
    import_framework_file(raw=json.dumps(catalog).encode(), name="catalog.json")
    framework = Framework.objects.get()
    assert (framework.key, framework.version) == ("ours-in-oscal", "2")
    rows = Control.objects.order_by("position").values_list("code", "label", "is_group", "parent__code")
    assert list(rows) == [
        ("ac", "AC", True, None), ("ac-1", "AC-1", False, "ac"), ("ac-1.1", "AC-1.1", False, "ac-1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "No Good"}, "key"),
        ({"title": ""}, "title"),
        ({"retention_years": 9}, "retention_years"),
        ({"colour": "red"}, "colour"),
        ({"groups": [{"id": "g", "controls": [{"id": "1x"}]}]}, "groups[0].controls[0].id"),
        ({"groups": [{"id": "g", "controls": [{"id": "a"}, {"id": "a"}]}]}, "groups[0].controls[1].id"),
        (
            {"groups": [{"id": "g", "controls": [{"id": "a", "policies": "p"}]}]},
            "groups[0].controls[0].policies",
        ),
        ({"groups": [{"id": "g"}]}, "groups"),
    ],
)
def test_a_wrong_framework_file_is_refused_by_its_place_and_changes_nothing(
    in_tenant: Tenant, change: dict[str, Any], field: str
) -> None:
    good = {"key": "own", "title": "Own", "groups": [{"id": "g", "controls": [{"id": "a"}]}]}
    with pytest.raises(InvalidInput) as caught:
        import_framework_file(raw=json.dumps(good | change).encode(), name="f.json")
    assert caught.value.field == field
    assert not Framework.objects.exists()


@pytest.fixture
def mapped(in_tenant: Tenant) -> Control:
    framework = {
        "key": "own",
        "title": "Own",
        "groups": [{"id": "g", "controls": [{"id": "own-1"}, {"id": "own-2"}]}],
    }
    import_framework_file(raw=json.dumps(framework).encode(), name="f.json")
    make_policy("one")
    make_policy("two", metadata={"provider_id": "provider/two"})
    return Control.objects.get(code="own-1")


def test_a_mapping_file_lands_its_good_rows_and_names_the_lines_of_the_others(mapped: Control) -> None:
    one = make_policy("three").pk
    text = f"framework,control,policy\nown,own-1,{one}\nown,OWN-2,provider/two\nown,own-7,{one}\nnone,own-1,{one}\nown,g,{one}\nown,own-1,\nown,own-1,missing\n"
    done = import_framework_file(raw=text.encode(), name="m.csv")
    assert (done["read"], done["added"], done["unchanged"]) == (7, 2, 0)
    assert [(r["line"], r["field"]) for r in done["refusals"]] == [
        (4, "control"), (5, "framework"), (6, "control"), (7, "policy"), (8, "policy"),
    ]  # fmt: skip
    again = import_framework_file(raw=text.encode(), name="m.csv")
    assert (again["added"], again["unchanged"]) == (0, 2)


def test_replacing_ends_what_the_file_does_not_hold_but_not_what_definitions_say(mapped: Control) -> None:
    three = make_policy("three")
    map_policy(control=mapped, policy=three)
    rows = [{"framework": "own", "control": "own-2", "policy": "provider/two"}]
    done = import_framework_file(raw=json.dumps(rows).encode(), name="m.json", replace=True)
    assert (done["added"], done["removed"]) == (1, 1)
    assert PolicyControl.objects.filter(removed_at=None).get().control.code == "own-2"
    # One wrong row, and nothing is replaced.
    rows.append({"framework": "own", "control": "nope", "policy": "provider/two"})
    done = import_framework_file(raw=json.dumps(rows[1:]).encode(), name="m.json", replace=True)
    assert (done["removed"], len(done["refusals"])) == (0, 1)
    assert PolicyControl.objects.filter(removed_at=None).count() == 1


def test_a_mapping_without_the_columns_is_refused(mapped: Control) -> None:
    with pytest.raises(InvalidInput, match="lacks policy"):
        import_framework_file(raw=b"framework,control\nown,own-1\n", name="m.csv")


def test_a_group_has_no_policies_and_a_pair_is_mapped_once(mapped: Control) -> None:
    policy = make_policy("three")
    with pytest.raises(InvalidInput):
        map_policy(control=Control.objects.get(code="g"), policy=policy)
    map_policy(control=mapped, policy=policy)
    with pytest.raises(StaleState):
        map_policy(control=mapped, policy=policy)
    assert Audit.objects.filter(action="catalog.mapping.added").count() == 1


def test_the_class_of_retention_is_one_to_three_years(mapped: Control) -> None:
    framework = set_retention(framework=mapped.framework, years=3)
    assert framework.retention_years == 3
    with pytest.raises(InvalidInput):
        set_retention(framework=framework, years=4)
