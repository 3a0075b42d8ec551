"""The SQL of random Azure rules gives what the reference evaluator gives, on random resources."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.errors import EvaluationError, PolicyError
from apps.rules.evaluate import Resource, evaluate
from tests.rules import database
from tests.rules.azure_strategies import STORAGE, conditions, resources
from tests.rules.conftest import NOW

EXAMPLES = int(os.environ.get("RULES_EXAMPLES", "40"))
"""Examples of each property; the slow run takes many more."""

RELAXED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def compiled(condition: dict[str, Any], now: datetime = NOW) -> CompiledRule | None:
    document = {"mode": "All", "policyRule": {"if": condition, "then": {"effect": "audit"}}}
    try:
        return compile_policy(document, language="azure", now=now)
    except PolicyError:
        return None


def expected(rule: CompiledRule, resource: Resource, inventory: list[Resource]) -> str | None:
    try:
        return "hit" if evaluate(rule.tree, resource, inventory) else None
    except EvaluationError:
        return "error"


def check(
    connection: psycopg.Connection, rules: list[CompiledRule], rows: list[Resource], **only: Any
) -> None:
    """Every rule, in one statement, against every row."""
    database.empty(connection)
    database.fill(connection, rows)
    policies = [(f"p{i}", rule) for i, rule in enumerate(rules)]
    found = database.ask(connection, policies, **only)
    for name, rule in policies:
        for row in rows:
            if only and row.type != only["resource_type"]:
                continue
            got = found.get((name, row.id), (None, ""))
            assert got[0] == expected(rule, row, rows), (rule.tree, row)
            assert got[0] is None or got[1]


GROUP = Resource(
    id="group",
    native_id="/subscriptions/sub/resourceGroups/rg",
    provider="azure",
    type="microsoft.resources/subscriptions/resourcegroups",
    name="rg",
    account="sub",
    location="eastus2",
    tags={"Env": "prod"},
    properties={"managedBy": "a"},
)
"""The group that some of the random resources are in."""


def distinct(rows: list[Resource]) -> list[Resource]:
    return [*(replace(row, id=f"r{i}") for i, row in enumerate(rows)), GROUP]


@RELAXED
@given(
    conditions=st.lists(conditions, min_size=1, max_size=8),
    rows=st.lists(resources(), min_size=1, max_size=4),
)
def test_sql_is_the_reference(
    inventory: psycopg.Connection, conditions: list[dict], rows: list[Resource]
) -> None:
    rules = [rule for each in conditions if (rule := compiled(each)) is not None]
    check(inventory, rules, distinct(rows))


@RELAXED
@given(
    conditions=st.lists(conditions, min_size=1, max_size=8),
    rows=st.lists(resources(), min_size=1, max_size=4),
)
def test_the_statement_of_one_type_is_the_reference(
    inventory: psycopg.Connection, conditions: list[dict], rows: list[Resource]
) -> None:
    typed = [{"allOf": [{"field": "type", "equals": STORAGE}, each]} for each in conditions]
    rules = [rule for each in typed if (rule := compiled(each)) is not None]
    check(inventory, rules, distinct(rows), resource_type=STORAGE.lower())
