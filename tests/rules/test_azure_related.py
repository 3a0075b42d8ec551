"""auditIfNotExists and its kin: the row below, beside or identical with the resource; facts of its group."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.errors import EvaluationError, Unsupported
from apps.rules.evaluate import Resource, evaluate
from tests.rules import database
from tests.rules.conftest import NOW

SERVER = "Microsoft.Sql/servers"
BASE = "/subscriptions/s1/resourceGroups/RG/providers"


def policy(condition: Any, details: dict[str, Any] | None = None, **more: Any) -> CompiledRule:
    then: dict[str, Any] = (
        {"effect": "audit"} if details is None else {"effect": "auditIfNotExists", "details": details}
    )
    document = {"policyRule": {"if": condition, "then": then}, **more}
    return compile_policy(document, language="azure", now=NOW)


def server(name: str, **more: Any) -> Resource:
    return Resource(
        id=f"id-{name}",
        native_id=f"{BASE}/Microsoft.Sql/servers/{name}",
        provider="azure",
        type="microsoft.sql/servers",
        name=name,
        group_name=more.pop("group_name", "RG"),
        account="s1",
        properties={"properties": {}},
        **more,
    )


def child(parent: str, kind: str, name: str, **inner: Any) -> Resource:
    return Resource(
        id=f"id-{parent}-{name}",
        native_id=f"{BASE}/microsoft.sql/SERVERS/{parent}/{kind}/{name}",
        provider="azure",
        type=f"microsoft.sql/servers/{kind}".lower(),
        name=name,
        group_name="rg",
        account="S1",
        properties={"properties": inner},
    )


def outcomes(connection: psycopg.Connection, rule: CompiledRule, rows: list[Resource]) -> dict[str, str]:
    """Outcome by resource id, the same by SQL over all types, by SQL of one type, and by the evaluator."""
    database.empty(connection)
    database.fill(connection, rows)
    found = {
        resource: outcome for (_, resource), (outcome, _) in database.ask(connection, [("p", rule)]).items()
    }
    for row in rows:
        try:
            wanted = "hit" if evaluate(rule.tree, row, rows) else None
        except EvaluationError:
            wanted = "error"
        assert found.get(row.id) == wanted, row
        typed = database.ask(connection, [("p", rule)], resource_type=row.type)
        assert typed.get(("p", row.id), (None,))[0] == wanted
    return found


AUDITING = {
    "type": "Microsoft.Sql/servers/auditingSettings",
    "name": "default",
    "existenceCondition": {"field": "Microsoft.Sql/auditingSettings.state", "equals": "enabled"},
}


def test_a_resource_without_its_child_is_hit(inventory: psycopg.Connection) -> None:
    rule = policy({"field": "type", "equals": SERVER}, AUDITING)
    rows = [
        server("none"),
        server("off"),
        server("on"),
        server("other"),
        child("off", "auditingSettings", "default", state="Disabled"),
        child("on", "auditingSettings", "Default", state="Enabled"),
        child("other", "auditingSettings", "second", state="Enabled"),
    ]
    assert outcomes(inventory, rule, rows) == {"id-none": "hit", "id-off": "hit", "id-other": "hit"}
    assert rule.related_types == {"microsoft.sql/servers/auditingsettings"}
    assert rule.resource_types == {"microsoft.sql/servers"}


def test_a_grandchild_is_found_two_levels_below(inventory: psycopg.Connection) -> None:
    rule = policy({"field": "type", "equals": SERVER}, {"type": "Microsoft.Sql/servers/databases/geo"})
    rows = [server("a"), server("b"), child("a", "databases", "d")]
    deep = child("b", "databases/d/geo", "g")
    deep = Resource(**{**_fields(deep), "type": "microsoft.sql/servers/databases/geo"})
    assert outcomes(inventory, rule, [*rows, deep]) == {"id-a": "hit"}


def _fields(resource: Resource) -> dict[str, Any]:
    return {name: getattr(resource, name) for name in Resource.__dataclass_fields__}


def test_field_in_an_existence_condition_reads_the_resource_itself(inventory: psycopg.Connection) -> None:
    details = {
        "type": "Microsoft.Sql/servers/databases",
        "existenceCondition": {"field": "location", "equals": "[field('location')]"},
    }
    rule = policy({"field": "type", "equals": SERVER}, details)
    near, far = child("a", "databases", "d"), child("b", "databases", "d")
    rows = [
        server("a", location="westeurope"),
        server("b", location="westeurope"),
        Resource(**{**_fields(near), "location": "westeurope"}),
        Resource(**{**_fields(far), "location": "eastus"}),
    ]
    assert outcomes(inventory, rule, rows) == {"id-b": "hit"}


def test_the_same_type_in_the_group_or_the_subscription(inventory: psycopg.Connection) -> None:
    marked = {"field": "tags.role", "equals": "main"}
    rows = [
        server("a", group_name="one"),
        server("b", group_name="One", tags={"Role": "MAIN"}),
        server("c", group_name="two"),
    ]
    nearby = policy({"field": "type", "equals": SERVER}, {"type": SERVER, "existenceCondition": marked})
    assert outcomes(inventory, nearby, rows) == {"id-c": "hit"}
    wide = {"type": SERVER, "existenceScope": "subscription", "existenceCondition": marked}
    assert outcomes(inventory, policy({"field": "type", "equals": SERVER}, wide), rows) == {}


def test_the_resource_itself_by_its_own_name(inventory: psycopg.Connection) -> None:
    details = {
        "type": SERVER,
        "name": "[field('name')]",
        "existenceCondition": {"field": "kind", "exists": True},
    }
    rule = policy({"field": "type", "equals": SERVER}, details)
    assert outcomes(inventory, rule, [server("a")]) == {"id-a": "hit"}
    assert rule.related_types == frozenset()


def test_facts_of_the_group_come_from_its_row(inventory: psycopg.Connection) -> None:
    rule = policy({"field": "location", "notEquals": "[resourceGroup().location]"}, mode="All")
    group = Resource(
        id="g",
        native_id="/subscriptions/s1/resourceGroups/rg",
        provider="azure",
        name="rg",
        account="s1",
        type="microsoft.resources/subscriptions/resourcegroups",
        location="westeurope",
        properties={},
    )
    rows = [
        server("a", location="westeurope"),
        server("b", location="eastus"),
        server("c", group_name="gone"),
        group,
    ]
    found = outcomes(inventory, rule, rows)
    assert found["id-b"] == "hit"
    assert found["id-c"] == "error"
    assert "id-a" not in found


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"type": "Microsoft.GuestConfiguration/guestConfigurationAssignments"}, "guest configuration"),
        ({"type": "Microsoft.Security/assessments"}, "assessments"),
        ({"type": "Microsoft.Insights/diagnosticSettings"}, "does not hold"),
    ],
)
def test_related_resources_outside_the_inventory_are_refused(details: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=r"then\.details\.type") as caught:
        policy({"field": "type", "equals": SERVER}, details)
    assert words in caught.value.reason


def test_another_tenants_rows_are_never_related(inventory: psycopg.Connection) -> None:
    rule = policy({"field": "type", "equals": SERVER}, AUDITING)
    database.fill(inventory, [server("a")])
    database.fill(
        inventory, [child("a", "auditingSettings", "default", state="Enabled")], tenant=database.OTHER_TENANT
    )
    assert set(database.ask(inventory, [("p", rule)])) == {("p", "id-a")}
