"""Azure rules against outcomes that Microsoft has published, and against samples named by their outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from apps.rules.azure.conditions import rule_of
from apps.rules.azure.context import Definition, Scope
from apps.rules.azure.fields import as_array, as_value, resolve
from apps.rules.compile import compile_policy
from apps.rules.evaluate import Resource, evaluate, frame, value_of
from apps.rules.tree import Column, Document, Key
from apps.rules.tree import Path as Place
from tests.rules import database
from tests.rules.conftest import NOW

STORAGE = "microsoft.storage/storageaccounts"
SAMPLES = "policies/azure/evaluator-samples"
# The samples' own evaluator reads `[*]` as "any"; by the documentation a condition on the members of an empty array is
# true, so these two, which have no virtual network rule, are audited.
ANY_NOT_ALL = {"kv-iprules-with-deny-none.json", "kv-iprules-with-allow-none.json"}


def vectors(corpora: Path) -> dict[str, Any]:
    text = (corpora / "policies/azure/test-vectors/array_alias_outcomes.yaml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def hit(condition: dict[str, Any], resource: Resource, connection: psycopg.Connection) -> bool:
    """The outcome of a condition, which must be the same by evaluation and by SQL."""
    rule = compile_policy(
        {"mode": "All", "policyRule": {"if": condition, "then": {"effect": "audit"}}},
        language="azure",
        now=NOW,
    )
    database.empty(connection)
    database.fill(connection, [resource])
    found = database.ask(connection, [("p", rule)])
    assert (("p", resource.id) in found) is evaluate(rule.tree, resource)
    return bool(found)


def storage(properties: dict[str, Any], **more: Any) -> Resource:
    return Resource(id="r", type=STORAGE, provider="azure", properties={"properties": properties}, **more)


def test_published_outcomes_of_array_conditions(corpora: Path, inventory: psycopg.Connection) -> None:
    published = vectors(corpora)
    resource = storage(published["resource"]["properties"])
    for case in published["cases"]:
        field = {"field": published["field"]}
        condition = {"not": {**field, **case["not"]}} if "not" in case else {**field, **case["condition"]}
        assert hit(condition, resource, inventory) is case["matches"], case


def test_a_condition_on_an_empty_or_missing_array_is_true(
    corpora: Path, inventory: psycopg.Connection
) -> None:
    published = vectors(corpora)
    case = published["empty_or_missing_array"]
    condition = {"field": published["field"], **case["condition"]}
    for properties in (
        {},
        {"networkAcls": {}},
        {"networkAcls": {"ipRules": []}},
        {"networkAcls": {"ipRules": None}},
    ):
        assert hit(condition, storage(properties), inventory) is case["matches"]


def generic(scope: Scope, name: str) -> Any:
    """A field of the documentation's made-up resource, whose arrays have no alias of their own."""
    return resolve(name, scope, "field")


@pytest.fixture
def any_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of the documentation's examples, which stand for aliases, are places below `properties`."""
    from apps.rules.azure import fields

    real = fields._document_field

    def read(name: str, scope: Scope, at: str) -> Any:
        if name.split("[")[0].split(".")[0] in ("missingArray", "stringArray", "objectArray"):
            return fields._from_path(f"properties.{name}", Document(scope.row), name)
        return real(name, scope, at)

    monkeypatch.setattr(fields, "_document_field", read)


def example(corpora: Path) -> Resource:
    found = vectors(corpora)["selection"]["resource"]
    return storage(found["properties"], tags=found["tags"])


def test_published_selections_of_array_members(corpora: Path, any_alias: None) -> None:
    published = vectors(corpora)["selection"]
    at, scope = frame(example(corpora)), Scope(Definition({}, NOW))
    for name, wanted in published["field_function"].items():
        assert value_of(as_value(generic(scope, name), scope, counted=False), at) == wanted, name
    for name, wanted in published["field_condition"].items():
        field = generic(scope, name)
        if field.hops:
            got = value_of(as_array(field, scope), at)
            assert (got or []) == wanted, name


def test_published_counts(corpora: Path, any_alias: None, inventory: psycopg.Connection) -> None:
    resource = example(corpora)
    for case in vectors(corpora)["counts"]:
        assert hit({"count": case["count"], "equals": case["result"]}, resource, inventory), case
        assert not hit({"count": case["count"], "notEquals": case["result"]}, resource, inventory), case


def test_samples_have_the_effect_they_are_named_by(corpora: Path, inventory: psycopg.Connection) -> None:
    tried = 0
    for policy in sorted((corpora / SAMPLES).glob("*/*/azurepolicy.json")):
        rule = compile_policy(json.loads(policy.read_text()), language="azure", now=NOW)
        for case in sorted((policy.parent / "tests").glob("*.json")):
            document = json.loads(case.read_text())
            resource = Resource(
                id="r",
                type=document["type"].lower(),
                provider="azure",
                location="westeurope",
                properties=document,
            )
            wanted = not case.stem.endswith("-none") or case.name in ANY_NOT_ALL
            database.empty(inventory)
            database.fill(inventory, [resource])
            assert evaluate(rule.tree, resource) is wanted, case.name
            assert bool(database.ask(inventory, [("p", rule)])) is wanted, case.name
            tried += 1
    assert tried == 10


def test_official_patterns_compile_or_say_what_they_lack(corpora: Path) -> None:
    compiled = {}
    for path in sorted((corpora / "policies/azure/patterns").glob("*.json")):
        document = json.loads(path.read_text())
        if "policyDefinitions" not in document.get("properties", {}):
            compiled[path.stem] = compile_policy(document, language="azure", now=NOW)
    assert len(compiled) >= 12
    assert compiled["pattern-parameters-1"].missing_parameters


def test_a_related_place_is_the_other_rows(corpora: Path) -> None:
    """The scope of a related row reads that row, and not the resource."""
    scope = Scope(Definition({}, NOW), row="other", types=frozenset({STORAGE}))
    rule = rule_of({"field": "kind", "equals": "x"}, scope, "if")
    assert rule.left == Place(Document("other"), (Key("kind"),), "kind")  # type: ignore[union-attr]
    assert resolve("location", scope, "").start.root == Column("location", "other")  # type: ignore[union-attr]
