"""The statement of a scan: which rows it reads, what it gives, and that policies do not disturb one another."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.evaluate import Resource
from apps.rules.sql import query
from apps.rules.sql.query import group_by_type, hits_query
from tests.rules import database
from tests.rules.conftest import NOW

STORAGE = "Microsoft.Storage/storageAccounts"


def policy(condition: Any, effect: str = "audit") -> CompiledRule:
    return compile_policy({"if": condition, "then": {"effect": effect}}, language="azure", now=NOW)


def account(name: str, **more: Any) -> Resource:
    return Resource(
        id=name,
        type=more.pop("type", STORAGE.lower()),
        provider=more.pop("provider", "azure"),
        name=name,
        properties={"kind": "StorageV2", "properties": more.pop("properties", {})},
        **more,
    )


UNTAGGED = {"field": "tags.Owner", "exists": False}
TLS = {
    "allOf": [
        {"field": "type", "equals": STORAGE},
        {"field": f"{STORAGE}/minimumTlsVersion", "notEquals": "TLS1_2"},
    ]
}


def test_only_the_tenants_rows_are_read(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account("mine")])
    database.fill(inventory, [account("theirs")], tenant=database.OTHER_TENANT)
    assert set(database.ask(inventory, [("p", policy(UNTAGGED))])) == {("p", "mine")}
    other = database.ask(inventory, [("p", policy(UNTAGGED))], tenant_id=database.OTHER_TENANT)
    assert set(other) == {("p", "theirs")}


def test_only_resources_of_the_policys_cloud_are_hit(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account("azure"), account("aws", provider="aws", type="aws.s3")])
    assert set(database.ask(inventory, [("p", policy(UNTAGGED))])) == {("p", "azure")}
    both = [("p", policy(UNTAGGED)), ("q", _of_any_cloud(policy(UNTAGGED)))]
    assert set(database.ask(inventory, both)) == {("p", "azure"), ("q", "azure"), ("q", "aws")}


def _of_any_cloud(rule: CompiledRule) -> CompiledRule:
    from dataclasses import replace

    return replace(rule, provider=None)


def test_one_resource_and_named_resources(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account("old"), account("new"), account("it's"), account("other")])
    rule = [("p", policy(TLS))]
    assert set(database.ask(inventory, rule, resource_id="old")) == {("p", "old")}
    some = database.ask(inventory, rule, resource_ids=["new", "it's", "not there"])
    assert set(some) == {("p", "new"), ("p", "it's")}
    assert database.ask(inventory, rule, resource_ids=[]) == {}


def test_policies_are_grouped_by_the_types_they_can_hit() -> None:
    rules = [
        ("tags", policy(UNTAGGED)),
        ("tls", policy(TLS)),
        ("two", policy({"field": "type", "in": ["A/b", "C/d"]})),
        ("prefix", policy({"field": "type", "like": "A/*"})),
        ("not", policy({"not": {"field": "type", "equals": "A/b"}})),
        (
            "never",
            policy({"allOf": [{"field": "type", "equals": "A/b"}, {"field": "type", "equals": "C/d"}]}),
        ),
        ("off", policy(TLS, effect="disabled")),
    ]
    grouped = {key: [name for name, _ in members] for key, members in group_by_type(rules).items()}
    assert grouped == {
        None: ["tags", "prefix", "not"],
        STORAGE.lower(): ["tls"],
        "a/b": ["two"],
        "c/d": ["two"],
    }


def test_a_type_condition_by_pattern_or_negation_is_still_right(inventory: psycopg.Connection) -> None:
    rows = [account("s"), account("d", type="microsoft.compute/disks")]
    database.fill(inventory, rows)
    pattern = policy({"field": "type", "like": "Microsoft.Storage/*"})
    negated = policy({"field": "type", "notEquals": STORAGE})
    found = database.ask(inventory, [("pattern", pattern), ("negated", negated)])
    assert set(found) == {("pattern", "s"), ("negated", "d")}
    typed = database.ask(
        inventory, [("pattern", pattern), ("negated", negated)], resource_type=STORAGE.lower()
    )
    assert set(typed) == {("pattern", "s")}


def test_a_policy_that_is_disabled_or_lacks_a_parameter_hits_nothing(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account("a")])
    lacking = compile_policy(
        {
            "parameters": {"tag": {"type": "String"}},
            "policyRule": {
                "if": {"field": "[concat('tags[', parameters('tag'), ']')]", "exists": False},
                "then": {"effect": "deny"},
            },
        },
        language="azure",
        now=NOW,
    )
    assert lacking.missing_parameters == ("tag",)
    assert database.ask(inventory, [("off", policy(UNTAGGED, effect="Disabled")), ("lacking", lacking)]) == {}


def test_more_policies_than_fit_one_pass(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account("a", tags={"t": "5"})])
    rules = [(f"p{i}", policy({"field": "tags.t", "equals": str(i)})) for i in range(600)]
    assert set(database.ask(inventory, rules)) == {("p5", "a")}


@pytest.mark.parametrize("count", [2, 15, 16, 40])
def test_together_policies_give_what_each_gives_alone(inventory: psycopg.Connection, count: int) -> None:
    database.fill(
        inventory, [account(f"a{n}", tags={"t": str(n)} if n % 3 else {"t": "x"}) for n in range(count)]
    )
    rules = [
        # "x" is no number: no answer.
        (f"p{n}", policy({"value": "[int(field('tags.t'))]" if n % 2 else "[field('tags.t')]", "lessOrEquals": n if n % 2 else str(n)}))
        for n in range(count)
    ]  # fmt: skip
    alone = {key: value for rule in rules for key, value in database.ask(inventory, [rule]).items()}
    assert database.ask(inventory, rules) == alone
    assert {outcome for outcome, _ in alone.values()} == {"hit", "error"}


def test_reasons_are_the_same_however_many_there_are(
    inventory: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.fill(inventory, [account("a", properties={"minimumTlsVersion": "TLS1_0"}, tags={"t": "%s 'x'"})])
    conditions = [
        TLS,
        UNTAGGED,
        {"field": "tags.t", "like": "%s*"},
        {"field": "name", "in": ["a", "w.words0[1]"]},
    ]
    rules = [(f"p{n}", policy(each)) for n, each in enumerate(conditions)]
    as_parameters = database.ask(inventory, rules, resource_type=STORAGE.lower())
    assert len(as_parameters) == 4
    monkeypatch.setattr(query, "_PARAMETERS", 0)
    assert "w.words3[1]" in hits_query(rules, tenant_id=database.TENANT).text
    assert database.ask(inventory, rules, resource_type=STORAGE.lower()) == as_parameters


def test_rules_over_documents_alone_leave_out_whom_others_leave_out(inventory: psycopg.Connection) -> None:
    weak = {"minimumTlsVersion": "TLS1_0"}
    gone = [account(status, properties=weak, status=status) for status in ("active", "deleted", "reported")]
    database.fill(
        inventory,
        [*gone, account("stateless", properties=weak), account("aws", provider="aws", properties=weak)],
    )
    database.fill(inventory, [account("theirs", properties=weak)], tenant=database.OTHER_TENANT)
    alone, typed = [("p", policy(TLS))], {"resource_type": STORAGE.lower()}
    assert "join" not in hits_query(alone, tenant_id=database.TENANT, **typed).text
    there = {("p", "active"), ("p", "stateless")}
    assert set(database.ask(inventory, alone, without_deleted=True, **typed)) == there
    everything = there | {("p", "deleted"), ("p", "reported")}
    assert set(database.ask(inventory, alone, **typed)) == everything == set(database.ask(inventory, alone))
    some = database.ask(
        inventory, alone, resource_ids=["active", "deleted", "aws"], without_deleted=True, **typed
    )
    assert set(some) == {("p", "active")}
    assert set(database.ask(inventory, alone, resource_id="aws", **typed)) == set()


def test_no_policies_give_no_rows(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account("a")])
    assert database.ask(inventory, []) == {}


def test_documents_of_one_type_are_read_by_their_own_type() -> None:
    named = [("p", policy(TLS))]
    assert "p.type" in hits_query(named, tenant_id=database.TENANT, resource_type=STORAGE.lower()).text
    assert "p.type" not in hits_query(named, tenant_id=database.TENANT).text


def test_every_literal_is_a_parameter() -> None:
    marker = "zq'\"%s$1\\"
    conditions = [
        {"field": "tags['" + marker + "']", "equals": marker},
        {"field": "name", "in": [marker]},
        {"field": "name", "like": marker + "*"},
        {"field": "name", "match": marker},
        {"field": "tags", "containsKey": marker},
        {"value": "[concat(field('name'), 'zq')]", "equals": marker},
    ]
    query = hits_query([(marker, policy(each)) for each in conditions], tenant_id=database.TENANT)
    assert "zq" not in query.text
    assert query.text.count("%s") == len(query.params)
    assert "%" not in query.text.replace("%s", "")
