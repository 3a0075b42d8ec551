"""What people read: the reason that SQL makes for a hit, and the explanation of one resource."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.evaluate import Resource
from apps.rules.explain import explain
from tests.rules import database
from tests.rules.conftest import NOW

STORAGE = "Microsoft.Storage/storageAccounts"
TYPE = {"field": "type", "equals": STORAGE}


def policy(condition: Any) -> CompiledRule:
    return compile_policy({"if": condition, "then": {"effect": "audit"}}, language="azure", now=NOW)


def account(tags: dict[str, Any] | None = None, **inner: Any) -> Resource:
    document = {"kind": "StorageV2", "properties": inner}
    return Resource(
        id="r",
        type=STORAGE.lower(),
        provider="azure",
        properties=document,
        tags=tags or {},
        location="eastus",
    )


def field(name: str) -> dict[str, Any]:
    return {"field": f"{STORAGE}/{name}"}


RULES = {"networkAcls": {"ipRules": [{"value": "10.0.0.1"}, {"value": "0.0.0.0/0"}]}}

CASES = [
    (
        {"allOf": [TYPE, {**field("minimumTlsVersion"), "notEquals": "TLS1_2"}]},
        account(minimumTlsVersion="TLS1_0"),
        'minimumTlsVersion is "TLS1_0", must be "TLS1_2"',
    ),
    (
        {"allOf": [TYPE, {**field("allowBlobPublicAccess"), "equals": True}]},
        account(allowBlobPublicAccess=True),
        "allowBlobPublicAccess is true, must not be true",
    ),
    (
        {
            "allOf": [
                TYPE,
                {"field": "kind", "equals": "StorageV2"},
                {"field": "tags.Owner", "exists": "false"},
            ]
        },
        account(),
        'kind is "StorageV2"; tag "Owner" is missing, must exist',
    ),
    (
        # What the condition takes for missing is called so, and not looked for again.
        {"allOf": [TYPE, {**field("minimumTlsVersion"), "exists": False}]},
        account(minimumTlsVersion=None),
        "minimumTlsVersion is missing, must exist",
    ),
    (
        {"field": "location", "notIn": ["West Europe", "North Europe"]},
        account(),
        'location is "eastus", must be one of ["westeurope", "northeurope"]',
    ),
    (
        {
            "anyOf": [
                {**field("accessTier"), "equals": "Hot"},
                {**field("allowSharedKeyAccess"), "notEquals": False},
            ]
        },
        account(accessTier="Cool"),
        "allowSharedKeyAccess is missing, must be false",
    ),
    (
        {
            "not": {
                "allOf": [{**field("accessTier"), "equals": "Hot"}, {"field": "kind", "equals": "StorageV2"}]
            }
        },
        account(accessTier="Cool"),
        'accessTier is "Cool", must be "Hot"',
    ),
    (
        {
            "count": {
                **field("networkAcls.ipRules[*]"),
                "where": {**field("networkAcls.ipRules[*].value"), "equals": "0.0.0.0/0"},
            },
            "greater": 0,
        },
        account(**RULES),
        'in networkAcls.ipRules[*]: networkAcls.ipRules[*].value is "0.0.0.0/0", must not be "0.0.0.0/0"',
    ),
    (
        {"count": field("networkAcls.ipRules[*]"), "less": 3},
        account(**RULES),
        "count of networkAcls.ipRules[*] is 2, must be at least 3",
    ),
    (
        {"not": {**field("networkAcls.ipRules[*].value"), "notEquals": "0.0.0.0/0"}},
        account(**RULES),
        'in networkAcls.ipRules[*].value: networkAcls.ipRules[*].value is "0.0.0.0/0", must not be "0.0.0.0/0"',
    ),
]


@pytest.mark.parametrize(("condition", "resource", "wanted"), CASES)
def test_a_reason_says_what_decided(
    inventory: psycopg.Connection, condition: Any, resource: Resource, wanted: str
) -> None:
    database.fill(inventory, [resource])
    rule = policy(condition)
    assert database.ask(inventory, [("p", rule)]) == {("p", "r"): ("hit", wanted)}
    assert database.ask(inventory, [("p", rule)], resource_type=STORAGE.lower())[("p", "r")][1] == wanted


def test_a_reason_is_bounded(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account(tags={"a": "x" * 100_000}, minimumTlsVersion="y" * 100_000)])
    rule = policy(
        {
            "allOf": [
                {"field": "tags.a", "notEquals": "b" * 900},
                {**field("minimumTlsVersion"), "notEquals": "c"},
            ]
        }
    )
    reason = database.ask(inventory, [("p", rule)])[("p", "r")][1]
    assert 200 < len(reason) <= 500


def test_a_reason_of_an_error_names_what_could_not_be_compared(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account(accessTier="warm")])
    rule = policy({"allOf": [TYPE, {**field("accessTier"), "less": 7}]})
    outcome, reason = database.ask(inventory, [("p", rule)])[("p", "r")]
    assert outcome == "error"
    assert (
        reason
        == 'The rule has no answer for this resource: accessTier is "warm" where it is compared with 7.'
    )


def test_an_explanation_has_the_deciding_leaves_with_their_values() -> None:
    rule = policy(
        {
            "allOf": [
                TYPE,
                {
                    "anyOf": [
                        {**field("accessTier"), "equals": "Hot"},
                        {"field": "tags.Owner", "exists": False},
                    ]
                },
            ]
        }
    )
    told = explain(rule, account(accessTier="Cool"))
    assert told.outcome == "true"
    seen = [
        (leaf.path, leaf.operator, leaf.expected, leaf.actual, leaf.outcome, leaf.at)
        for leaf in told.leaves()
    ]
    assert seen == [
        ("type", "equals", f'"{STORAGE}"', f'"{STORAGE.lower()}"', "true", "if.allOf[0]"),
        ('tag "Owner"', "notExists", "false", "missing", "true", "if.allOf[1].anyOf[1]"),
    ]
    assert [leaf.demand for leaf in told.leaves()] == ["", "must exist"]


def test_an_explanation_of_a_miss_has_what_was_not_so() -> None:
    rule = policy(
        {"allOf": [TYPE, {**field("accessTier"), "equals": "Hot"}, {"field": "kind", "equals": "StorageV2"}]}
    )
    told = explain(rule, account(accessTier="Cool"))
    assert told.outcome == "false"
    assert [(leaf.path, leaf.actual) for leaf in told.leaves()] == [("accessTier", '"Cool"')]


def test_an_explanation_goes_into_elements_and_errors() -> None:
    rule = policy({"field": f"{STORAGE}/networkAcls.ipRules[*].value", "notEquals": "0.0.0.0/0"})
    told = explain(rule, account(**RULES))
    assert told.outcome == "false"
    assert [leaf.actual for leaf in told.leaves()] == ['"0.0.0.0/0"']
    assert [part.decisive for part in told.parts] == [False, True]
    broken = explain(policy({**field("accessTier"), "less": 7}), account(accessTier="warm"))
    assert (broken.outcome, broken.leaves()[0].error) == (
        "error",
        "values of different kinds cannot be ordered",
    )


LATER = NOW + timedelta(days=3)
AGED = [
    (
        {"type": "value", "key": "CreateTime", "value_type": "age", "op": "gt", "value": 90},
        'CreateTime is "2024-01-01T00:00:00.000000Z", must not be before 90 days ago',
    ),
    (
        {"type": "value", "key": "NotAfter", "value_type": "expiration", "op": "lt", "value": 30},
        'NotAfter is "2024-02-01T00:00:00.000000Z", must not be before 30 days from now',
    ),
]


@pytest.mark.parametrize(("condition", "said"), AGED)
def test_a_reason_of_an_age_is_the_same_at_every_scan(
    rules_connection: psycopg.Connection, condition: dict[str, Any], said: str
) -> None:
    database.empty(rules_connection)
    aged = {"CreateTime": "2024-01-01T00:00:00Z", "NotAfter": "2024-02-01"}
    database.fill(rules_connection, [Resource(id="r", type="aws.ebs", provider="aws", properties=aged)])
    document = {"name": "p", "resource": "aws.ebs", "filters": [condition]}
    reasons = {
        database.ask(rules_connection, [("p", compile_policy(document, language="custodian", now=now))])[
            "p", "r"
        ]
        for now in (NOW, LATER)
    }
    assert reasons == {("hit", said)}


def test_a_reason_of_azures_clock_is_the_same_at_every_scan(rules_connection: psycopg.Connection) -> None:
    database.empty(rules_connection)
    database.fill(rules_connection, [account({"made": "2024-01-01T00:00:00Z"})])
    conditions = [
        {"field": "tags.made", "less": "[addDays(utcNow(), -90)]"},
        {"value": "[utcNow()]", "greater": "[field('tags.made')]"},
    ]
    for condition in conditions:
        rule = {"if": {"allOf": [TYPE, condition]}, "then": {"effect": "audit"}}
        reasons = [
            database.ask(rules_connection, [("p", compile_policy(rule, language="azure", now=now))])["p", "r"]
            for now in (NOW, LATER)
        ]
        assert reasons[0] == reasons[1]
        assert "utcNow()" in reasons[0][1]


def test_an_explanation_says_when_as_well(rules_connection: psycopg.Connection) -> None:
    document = {"name": "p", "resource": "aws.ebs", "filters": [AGED[0][0]]}
    found = Resource(
        id="r", type="aws.ebs", provider="aws", properties={"CreateTime": "2024-01-01T00:00:00Z"}
    )
    leaf = explain(compile_policy(document, language="custodian", now=NOW), found).leaves()[-1]
    assert leaf.expected.startswith('90 days ago ("20')


def test_a_reason_leaves_out_what_the_mode_implies(inventory: psycopg.Connection) -> None:
    """`Indexed` says which resources are meant; nobody can mend that a disk is no nested type."""
    definition = {
        "properties": {
            "mode": "Indexed",
            "policyRule": {
                "if": {"field": "location", "notEquals": "westeurope"},
                "then": {"effect": "deny"},
            },
        }
    }
    rule = compile_policy(definition, language="azure", now=NOW)
    database.fill(inventory, [account()])
    _, reason = database.ask(inventory, [("p", rule)])[("p", "r")]
    assert reason == 'location is "eastus", must be "westeurope"'
