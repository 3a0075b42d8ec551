"""Public policies and real inventories: what compiles, what is refused, and that outcomes are c7n's."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import psycopg
import pytest

from apps.rules.compile import CompiledRule
from apps.rules.custodian.compiler import compile_policy, split_document
from apps.rules.custodian.loading import load_yaml
from apps.rules.errors import InvalidPolicy, PolicyError, Unsupported
from apps.rules.tree import Always, Rule, conjunction
from tests.rules.custodian_oracle import CORPORA, NOW, by_c7n, by_reference, by_sql

POLICIES = CORPORA / "policies" / "custodian"
INVENTORY = CORPORA / "inventory"
pytestmark = pytest.mark.skipif(not POLICIES.exists(), reason="the corpora are not here")

INVENTORY_FILTERS = {"value", "and", "or", "not", "list-item", "marked-for-op", "tag-count"}
IN_MEMORY = INVENTORY_FILTERS | {
    "image-age",
    "instance-age",
    "instance-uptime",
    "state-age",
    "ingress",
    "egress",
}
"""Filters that c7n evaluates without a call, as the oracle has them."""

REFUSED_NAMES = {"value_from", "value_path", "value_regex", "value_type"}


@cache
def policies() -> list[dict[str, Any]]:
    found = []
    for path in sorted(POLICIES.glob("*.yml")):
        found.extend(definition.document for definition in split_document(load_yaml(path.read_bytes())))
    return found


def kinds(filters: Any) -> set[str]:
    """The kinds of the filters, those inside others too."""
    found: set[str] = set()
    for each in filters if isinstance(filters, list) else []:
        if isinstance(each, str):
            found.add(each)
        elif "type" in each:
            found |= {each["type"]} | kinds(each.get("attrs"))
        else:
            [(key, value)] = each.items()
            found |= {key} | kinds(value) if key in ("and", "or", "not") else {"value"}
    return found


def compiled(policy: dict[str, Any]) -> CompiledRule | PolicyError:
    try:
        return compile_policy(policy, parameters=None, now=NOW)
    except PolicyError as error:
        return error


def test_every_policy_compiles_or_is_refused_with_a_place_and_a_reason() -> None:
    outcomes: Counter[str] = Counter()
    for policy in policies():
        found = compiled(policy)
        outcomes[type(found).__name__] += 1
        if isinstance(found, PolicyError):
            assert found.path
            assert found.reason
    assert sum(outcomes.values()) == 931
    assert outcomes["InvalidPolicy"] == 2
    assert outcomes["CompiledRule"] >= 405


def test_policies_of_inventory_filters_compile() -> None:
    simple = [policy for policy in policies() if kinds(policy["filters"]) <= INVENTORY_FILTERS]
    outcomes = [(policy["name"], compiled(policy)) for policy in simple]
    refused = [(name, found) for name, found in outcomes if isinstance(found, PolicyError)]
    assert len(outcomes) > 400
    by_name = [
        name
        for name, found in refused
        if isinstance(found, Unsupported) and found.path.rsplit(".", 1)[-1] in REFUSED_NAMES
    ]
    others = {name: found.reason for name, found in refused if name not in by_name}
    assert len(by_name) == 7  # value_from six times, resource_count once
    assert others == {
        "gcp-instance-template-delete-disallowed-machine-types": "a value filter has a value",
        "recovery-services-vault": "filters are a list",
    }


def test_a_policy_without_filters_matches_all_of_its_type() -> None:
    rule = compile_policy({"name": "all", "resource": "aws.ec2"}, parameters=None, now=NOW)
    assert by_reference(rule.tree, ["{}"], type="aws.ec2") == ["true"]
    assert by_reference(rule.tree, ["{}"], type="aws.s3") == ["false"]
    assert rule.resource_types == {"aws.ec2", "aws::ec2::instance"}


@cache
def inventory() -> dict[str, list[str]]:
    """Documents of every lower-cased type."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in ("aws", "gcp"):
        for line in (INVENTORY / f"{name}.ndjson").read_text().splitlines():
            row = json.loads(line)
            found[row["type"].lower()].append(json.dumps(row["properties"], ensure_ascii=False))
    for row in json.loads((INVENTORY / "azure_resource_graph.json").read_text())["data"]:
        found[row["type"].lower()].append(json.dumps(row, ensure_ascii=False))
    return found


def filters_only(rule: CompiledRule) -> Rule:
    """The rule without the test of the type."""
    items = getattr(rule.tree, "items", None)
    return conjunction(items[1:]) if items is not None and rule.tree.at == "" else Always(True)


def test_policies_over_the_real_inventory_hit_what_c7n_hits(rules_connection: psycopg.Connection) -> None:
    wrong, pairs, hits, with_rows = [], 0, 0, 0
    for policy in policies():
        rule = compiled(policy)
        if isinstance(rule, PolicyError) or not kinds(policy["filters"]) <= IN_MEMORY:
            continue
        if kinds(policy["filters"]) & {"marked-for-op", "ingress", "egress"} and rule.provider != "aws":
            continue  # c7n's packages for the other clouds have filters of their own
        for kind in sorted(rule.resource_types or ()):
            documents = inventory().get(kind, [])
            if not documents:
                continue
            with_rows += 1
            found = by_sql(rules_connection, rule.tree, documents, type=kind, provider=rule.provider)
            meant = by_reference(rule.tree, documents, type=kind, provider=rule.provider)
            assert found == meant, policy
            wanted = by_c7n(policy["filters"], documents)
            pairs += len(documents)
            hits += found.count("true")
            wrong += [
                (policy["name"], document[:200], mine, theirs)
                for document, mine, theirs in zip(documents, found, wanted, strict=True)
                if mine != theirs and not _explained(policy, mine, theirs)
            ]
    assert wrong == []
    assert with_rows > 100
    assert pairs > 5_000
    assert hits > 500


def _explained(policy: dict[str, Any], mine: str, theirs: str) -> bool:
    """c7n raises, and so ends the policy, where an age filter's attribute is not there (here: no hit) and where
    tags are not in the shape that c7n's own fetching gives them (here: read as they are)."""
    asked = kinds(policy["filters"])
    ages = {"image-age", "instance-age", "instance-uptime", "state-age"}
    reads_tags = "tag:" in json.dumps(policy["filters"]) or asked & {"marked-for-op", "tag-count"}
    return theirs == "error" and mine != "error" and (bool(asked & ages) or bool(reads_tags))


def test_every_value_policy_over_every_type_hits_what_c7n_hits(rules_connection: psycopg.Connection) -> None:
    """The filters of all policies over a sample of documents of other types: odd input for each of them."""
    sample = [documents[0] for _, documents in sorted(inventory().items()) if documents][::15]
    wrong = []
    for policy in policies():
        rule = compiled(policy)
        if isinstance(rule, PolicyError) or not kinds(policy["filters"]) <= {
            "value",
            "and",
            "or",
            "not",
            "list-item",
        }:
            continue
        if not rule.resource_types:
            continue
        kind = sorted(rule.resource_types)[0]
        found = by_sql(rules_connection, rule.tree, sample, type=kind, provider=rule.provider)
        assert found == by_reference(rule.tree, sample, type=kind, provider=rule.provider), policy
        wanted = by_c7n(policy["filters"], sample)
        wrong += [
            (policy["name"], document[:200], mine, theirs)
            for document, mine, theirs in zip(sample, found, wanted, strict=True)
            if mine != theirs and not _explained(policy, mine, theirs)
        ]
    assert wrong == []


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"resource": "ec2"}, "name"),
        ({"name": "a"}, "resource"),
        ({"name": "a", "resource": 5}, "resource"),
        ({"name": "a", "resource": "ec2", "filters": {"a": 1}}, "filters"),
        ({"name": "a", "resource": "ec2", "filters": [5]}, "filters[0]"),
        ({"name": "a", "resource": "ec2", "filters": [{}]}, "filters[0]"),
        ({"name": "a", "resource": "ec2", "filters": [{"a": 1, "b": 2}]}, "filters[0]"),
        ({"name": "a", "resource": "ec2", "filters": [{"or": {"a": 1}}]}, "filters[0].or"),
        ({"name": "a", "resource": "ec2", "filters": [{"type": "value", "key": "a", "value": 1, "op": "like"}]},
         "filters[0].op"),
        ({"name": "a", "resource": "ec2", "filters": [{"type": "value", "key": "a", "value": 1, "x": 1}]},
         "filters[0].x"),
        ({"name": "a", "resource": "ec2", "filters": [{"type": "value", "key": 5, "value": 1}]}, "filters[0].key"),
        ({"name": "a", "resource": "ec2", "filters": [{"a": "b\x00c"}]}, "filters[0].a"),
        ({"name": "a", "resource": "ec2", "filters": [{"a": float("nan")}]}, "filters[0].a"),
        ({"name": "a", "resource": "ec2", "nonsense": 1}, "nonsense"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_with_its_place(policy, path) -> None:
    found = compiled(policy)
    assert isinstance(found, InvalidPolicy)
    assert found.path == path


@pytest.mark.parametrize(
    ("filters", "path", "named"),
    [
        ([{"type": "value", "key": "a", "value_from": {"url": "x"}}], "filters[0].value_from", "value_from"),
        ([{"type": "value", "key": "a", "value_path": "b"}], "filters[0].value_path", "value_path"),
        ([{"type": "value", "key": "a", "value": "b", "value_type": "expr"}], "filters[0].value_type", "expr"),
        ([{"type": "value", "value_type": "resource_count", "op": "eq", "value": 1}], "filters[0].value_type",
         "resource_count"),
        ([{"type": "value", "key": "a", "value": "1", "value_type": "version"}], "filters[0].value_type", "version"),
        ([{"or": [{"type": "reduce", "limit": 1}]}], "filters[0].or[0].type", "reduce"),
        ([{"type": "event", "key": "a", "value": 1}], "filters[0].type", "event"),
        (["offhour"], "filters[0].type", "offhour"),
        ([{"type": "metrics", "name": "CPU"}], "filters[0].type", "metrics"),
        ([{"type": "value", "key": "a", "op": "regex", "value": "(?<=a)b"}], "filters[0].value", "lookbehind"),
        ([{"type": "value", "key": "a", "op": "regex", "value": "(?P<n>a)"}], "filters[0].value", "named groups"),
    ],
)  # fmt: skip
def test_what_cannot_be_decided_is_refused_by_name(filters, path, named) -> None:
    found = compiled({"name": "a", "resource": "aws.ec2", "filters": filters})
    assert isinstance(found, Unsupported)
    assert found.path == path
    assert named in found.reason


def test_deep_and_wide_policies_are_bounded(rules_connection: psycopg.Connection) -> None:
    deep: Any = {"a": 1}
    for _ in range(45):
        deep = {"not": [deep]}
    rule = compiled({"name": "a", "resource": "ec2", "filters": [deep]})
    assert isinstance(rule, CompiledRule)
    assert by_sql(rules_connection, rule.tree, ['{"a": 1}', "{}"]) == ["false", "true"]
    for _ in range(10):
        deep = {"not": [deep]}
    assert isinstance(compiled({"name": "a", "resource": "ec2", "filters": [deep]}), InvalidPolicy)
    wide = [{"a": n} for n in range(60_000)]
    assert isinstance(compiled({"name": "a", "resource": "ec2", "filters": wide}), InvalidPolicy)


@pytest.mark.parametrize(
    "text",
    [
        "%s",
        "%(a)s",
        "$1",
        "'; drop table resources; --",
        '"',
        "\\",
        "\\'",
        "{}",
        "%%",
        "a\tb",
        "😀",
        "e'",
        "?",
        "::int",
    ],
)
def test_texts_of_a_policy_are_never_sql(rules_connection: psycopg.Connection, text: str) -> None:
    documents = [
        json.dumps(each, ensure_ascii=False)
        for each in ({text: text}, {"a": text, "Tags": [{"Key": text, "Value": text}]}, {})
    ]
    filters = [
        [{text: text}],
        [{f"tag:{text}": text}],
        [{"type": "value", "key": "a", "op": "contains", "value": text}],
        [{"type": "value", "key": "a", "op": "glob", "value": text}],
        [{"type": "value", "key": "a", "op": "in", "value": [text]}],
        [{"type": "value", "key": "a", "op": "intersect", "value": text}],
        [{"type": "value", "key": f"a || '{text}'", "value": text}],
        [{"type": "list-item", "key": f'"{text}"', "attrs": [{text: text}]}],
    ]
    for each in filters:
        found = compiled({"name": "a", "resource": "aws.ec2", "filters": each})
        if isinstance(found, CompiledRule):
            assert by_sql(rules_connection, found.tree, documents) == by_reference(found.tree, documents), (
                each
            )
