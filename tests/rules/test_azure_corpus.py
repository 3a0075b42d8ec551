"""The public definitions: how many compile, why the others do not, and that SQL and evaluator agree on all of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.errors import EvaluationError, PolicyError, Unsupported
from apps.rules.evaluate import Resource, evaluate
from tests.rules import database
from tests.rules.conftest import NOW

OUTSIDE = (
    "which the inventory does not hold",
    "requestContext()",
    "is not known",
    "the effect ",
    "depends on the",
)


def definitions(corpora: Path, name: str) -> Iterator[dict[str, Any]]:
    for line in (corpora / "policies/azure" / name).read_text().splitlines():
        yield json.loads(line)


def outcome(document: dict[str, Any]) -> CompiledRule | PolicyError:
    try:
        return compile_policy(document, language="azure", now=NOW)
    except PolicyError as error:
        return error


def test_most_definitions_over_the_inventory_compile(corpora: Path) -> None:
    results = [outcome(each) for each in definitions(corpora, "builtin_inventory.jsonl")]
    refused = [each for each in results if isinstance(each, PolicyError)]
    assert len(results) == 510
    assert len(refused) <= 0.08 * len(results)
    assert all(isinstance(each, Unsupported) and each.path and each.reason for each in refused)


def test_every_definition_over_child_or_same_type_rows_compiles(corpora: Path) -> None:
    reasons = Counter()
    compiled = 0
    for each in definitions(corpora, "builtin_related.jsonl"):
        result = outcome(each)
        if isinstance(result, PolicyError):
            reasons[result.reason] += 1
            assert any(words in result.reason for words in OUTSIDE), (each["name"], result)
        else:
            compiled += 1
    assert compiled >= 140
    assert sum(reasons.values()) + compiled == 831


def azure_inventory(corpora: Path) -> list[Resource]:
    """The public inventory as rows."""
    data = database.loads((corpora / "inventory/azure_resource_graph.json").read_text())["data"]
    rows = []
    for number, document in enumerate(data):
        identity = document["id"] if isinstance(document.get("id"), str) else ""
        parts = identity.lower().split("/")
        group = parts[parts.index("resourcegroups") + 1] if "resourcegroups" in parts[:-1] else None
        location = document.get("location")
        rows.append(
            Resource(
                id=f"r{number}",
                native_id=identity or None,
                provider="azure",
                type=str(document.get("type", "none")).lower(),
                name=document["name"] if isinstance(document.get("name"), str) else "",
                group_name=group,
                location=location.replace(" ", "").lower() if isinstance(location, str) else None,
                account=parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else None,
                tags=document["tags"] if isinstance(document.get("tags"), dict) else {},
                properties=document,
            )
        )
    return rows


def expected(rule: CompiledRule, resource: Resource, rows: list[Resource]) -> str | None:
    try:
        return "hit" if evaluate(rule.tree, resource, rows) else None
    except EvaluationError:
        return "error"


@pytest.mark.slow
def test_sql_and_evaluator_agree_on_every_public_definition_and_resource(
    corpora: Path, inventory: psycopg.Connection
) -> None:
    rows = azure_inventory(corpora)
    database.fill(inventory, rows)
    policies = []
    for name in ("builtin_inventory.jsonl", "builtin_related.jsonl"):
        for number, document in enumerate(definitions(corpora, name)):
            rule = outcome(document)
            if isinstance(rule, CompiledRule):
                # Disabled by default or lacking a parameter: here it runs all the same.
                policies.append((f"{name}:{number}", replace(rule, effect="audit", missing_parameters=())))
    found = database.ask(inventory, policies)
    different = [
        (name, row.id)
        for name, rule in policies
        for row in rows
        if found.get((name, row.id), (None,))[0] != expected(rule, row, rows)
    ]
    assert different == []
    assert Counter(outcome for outcome, _ in found.values())["hit"] > 5_000
    assert all(0 < len(reason) <= 500 for _, reason in found.values())
