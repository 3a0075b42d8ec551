"""Definitions, parameters, effects and initiatives: what a document says around its condition."""

from __future__ import annotations

from typing import Any

import pytest

from apps.rules.azure.initiatives import read_initiative
from apps.rules.compile import CompiledRule, compile_policy, split_document
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.evaluate import Resource, evaluate
from tests.rules.conftest import NOW

STORAGE = "Microsoft.Storage/storageAccounts"


def definition(condition: Any = None, **properties: Any) -> dict[str, Any]:
    rule = {
        "if": condition or {"field": "type", "equals": STORAGE},
        "then": {"effect": "[parameters('effect')]"},
    }
    effect = {"type": "String", "allowedValues": ["Audit", "Deny", "Disabled"], "defaultValue": "Audit"}
    return {
        "id": "/providers/Microsoft.Authorization/policyDefinitions/one",
        "name": "one",
        "properties": {
            "displayName": "One",
            "description": "It says one thing.",
            "mode": "Indexed",
            "metadata": {"category": "Storage", "version": "1.0.0"},
            "policyRule": rule,
            **properties,
            "parameters": {"effect": effect, **properties.get("parameters", {})},
        },
    }


def compiled(document: Any, parameters: dict[str, Any] | None = None) -> CompiledRule:
    return compile_policy(document, language="azure", parameters=parameters, now=NOW)


LOCATIONS = {"listOfLocations": {"type": "Array", "metadata": {"displayName": "Locations"}}}
ALLOWED = {"field": "location", "notIn": "[parameters('listOfLocations')]"}


def test_a_definition_says_what_it_is() -> None:
    rule = compiled(definition())
    assert (rule.name, rule.title, rule.description, rule.category) == (
        "one",
        "One",
        "It says one thing.",
        "Storage",
    )
    assert (rule.effect, rule.provider, rule.resource_types) == ("audit", "azure", {STORAGE.lower()})
    assert rule.metadata == {"category": "Storage", "version": "1.0.0"}
    assert rule.runs


def test_a_bare_rule_is_a_definition_too() -> None:
    assert compiled({"if": {"field": "type", "equals": "a/b"}, "then": {"effect": "Deny"}}).effect == "deny"


def test_a_required_parameter_without_a_value_is_named_and_nothing_runs() -> None:
    rule = compiled(definition(ALLOWED, parameters=LOCATIONS))
    assert rule.missing_parameters == ("listOfLocations",)
    assert not rule.runs
    assert {each.name: each.has_default for each in rule.parameters} == {
        "effect": True,
        "listOfLocations": False,
    }


@pytest.mark.parametrize("given", [["West Europe"], {"value": ["westeurope"]}])
def test_a_value_is_given_plainly_or_as_an_assignment_does(given: Any) -> None:
    rule = compiled(definition(ALLOWED, parameters=LOCATIONS), {"LISTOFLOCATIONS": given})
    assert not evaluate(rule.tree, Resource(type="a/b", location="westeurope", properties={}))
    assert evaluate(rule.tree, Resource(type="a/b", location="eastus", properties={}))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"listOfLocations": "westeurope"}, "Array"),
        ({"listOfLocations": [], "effect": "Explode"}, "allowed values"),
        ({"listOfLocations": [], "efect": "Audit"}, "no parameter"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPolicy, match=r"^parameters\.") as caught:
        compiled(definition(ALLOWED, parameters=LOCATIONS), given)
    assert words in caught.value.reason


def test_a_disabled_policy_does_not_run() -> None:
    assert not compiled(definition(), {"effect": "Disabled"}).runs


@pytest.mark.parametrize("effect", ["manual", "denyAction", "mutate", "addToNetworkGroup"])
def test_effects_that_say_nothing_of_a_state_are_refused(effect: str) -> None:
    with pytest.raises(Unsupported, match=effect):
        compiled({"if": {"field": "type", "equals": "a/b"}, "then": {"effect": effect}})


def test_a_data_plane_mode_is_refused() -> None:
    with pytest.raises(Unsupported, match="data plane"):
        compiled(definition(mode="Microsoft.KeyVault.Data"))


def test_mode_indexed_leaves_out_groups_and_nested_types_without_a_place() -> None:
    tagged = {"field": "tags.Owner", "exists": False}
    indexed, everything = compiled(definition(tagged)), compiled(definition(tagged, mode="All"))
    group = Resource(
        type="microsoft.resources/subscriptions/resourcegroups", location="eastus", properties={}
    )
    nested = Resource(type="microsoft.network/networksecuritygroups/securityrules", properties={})
    plain = Resource(type="microsoft.compute/disks", location="eastus", properties={})
    assert [evaluate(indexed.tree, each) for each in (group, nested, plain)] == [False, False, True]
    assert all(evaluate(everything.tree, each) for each in (group, nested, plain))


def test_dates_are_folded_for_the_given_moment() -> None:
    field = {"field": f"{STORAGE}/encryption.keyvaultproperties.lastKeyRotationTimestamp"}
    rule = compiled(definition({**field, "less": "[addDays(utcNow(), -90)]"}))
    rotated = {
        "properties": {
            "encryption": {"keyvaultproperties": {"lastKeyRotationTimestamp": "2026-08-24T11:00:00Z"}}
        }
    }
    assert evaluate(rule.tree, Resource(type=STORAGE.lower(), properties=rotated))
    earlier = compile_policy(
        definition({**field, "less": "[addDays(utcNow(), -90)]"}), language="azure", now=NOW.replace(day=1)
    )
    assert not evaluate(earlier.tree, Resource(type=STORAGE.lower(), properties=rotated))


# --- files and initiatives -------------------------------------------------------------------------------------------

INITIATIVE = {
    "name": "set",
    "properties": {
        "displayName": "A set",
        "parameters": {
            "tag": {"type": "String"},
            "places": {"type": "Array", "defaultValue": ["westeurope"]},
        },
        "policyDefinitionGroups": [{"name": "AC-1", "category": "Access", "displayName": "Access control"}],
        "policyDefinitions": [
            {
                "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/one",
                "policyDefinitionReferenceId": "placed",
                "parameters": {"listOfLocations": {"value": "[parameters('places')]"}},
                "groupNames": ["AC-1"],
            },
            {
                "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/elsewhere",
                "parameters": {"tagName": {"value": "[parameters('tag')]"}, "n": {"value": 5}},
            },
        ],
    },
}


def test_an_initiative_hands_its_parameters_to_its_definitions() -> None:
    read = read_initiative(INITIATIVE, parameters={"tag": "Owner"})
    assert [each.parameters for each in read.references] == [
        {"listOfLocations": {"value": ["westeurope"]}},
        {"tagName": {"value": "Owner"}, "n": {"value": 5}},
    ]
    assert [each.controls for each in read.references] == [("AC-1",), ()]
    assert [(group.name, group.category) for group in read.groups] == [("AC-1", "Access")]
    lacking = read_initiative(INITIATIVE)
    assert lacking.references[1].parameters == {"n": {"value": 5}}


def test_a_file_gives_each_definition_once_and_references_with_what_they_name() -> None:
    found = split_document([definition(ALLOWED, parameters=LOCATIONS), INITIATIVE, {"not": "a policy"}])
    assert [(each.name, each.at) for each in found] == [
        ("one", "[0]"),
        ("placed", "[1].policyDefinitions[0]"),
        ("elsewhere", "[1].policyDefinitions[1]"),
    ]
    placed = compiled(found[1].document, dict(found[1].parameters or {}))
    assert placed.runs
    with pytest.raises(Unsupported, match="elsewhere, which is not in this file"):
        compiled(found[2].document, dict(found[2].parameters or {}))


@pytest.mark.parametrize(
    "wrap", [lambda d: d, lambda d: [d], lambda d: {"value": [d]}, lambda d: d["properties"]]
)
def test_definitions_are_found_in_every_shape_of_file(wrap: Any) -> None:
    found = split_document(wrap(definition()))
    assert len(found) == 1
    assert compiled(found[0].document).resource_types == {STORAGE.lower()}
