"""Policies that try to break out, to blow up or to hang: a clear refusal or the right answer, soon."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg
import pytest
import yaml

from apps.rules.compile import compile_policy, split_document
from apps.rules.errors import InvalidPolicy, PolicyError
from apps.rules.evaluate import Resource, evaluate
from tests.rules import database
from tests.rules.conftest import NOW

NASTY = [
    "'",
    '"',
    "''",
    "\\",
    "\\'",
    "%",
    "%s",
    "%(x)s",
    "$1",
    "$$",
    "--",
    "/*",
    ";",
    "'; drop table resources; --",
    "{}",
    "{0}",
    "{",
    "}",
    "\x01",
    "\x7f",
    "\u2028",
    "\U0001f4a5",
    "' or '1'='1",
    "\\x00",
    "\\u0000",
    "a\nb\tc",
    "::text",
    "x.c0",
    "null",
]
FIELD = "Microsoft.Storage/storageAccounts/accessTier"


def compiled(condition: Any, **more: Any) -> Any:
    document = {"policyRule": {"if": condition, "then": {"effect": "audit"}}, **more}
    return compile_policy(document, language="azure", now=NOW)


def literal(text: str) -> str:
    """A text as a policy writes it where it is no expression."""
    return f"[{text}" if text.startswith("[") else text


def test_nasty_texts_mean_themselves_everywhere(inventory: psycopg.Connection) -> None:
    rows = [
        Resource(
            id=f"r{i}",
            type="microsoft.storage/storageaccounts",
            provider="azure",
            name=text,
            tags={text: text},
            properties={"properties": {"accessTier": text}},
        )
        for i, text in enumerate(NASTY)
    ]
    database.fill(inventory, rows)
    rules = []
    for i, text in enumerate(NASTY):
        quoted = text.replace("'", "''")
        conditions = {
            "equals": {"field": FIELD, "equals": literal(text)},
            "in": {"field": "name", "in": [literal(text)]},
            "like": {"field": FIELD, "like": literal(text.replace("*", "")) + "*"},
            "contains": {"field": "name", "contains": literal(text)},
            "key": {"field": "tags", "containsKey": literal(text)},
            "tag": {"field": f"[concat('tags[''', '{quoted}', ''']')]", "exists": True},
            "function": {"value": f"[replace(field('name'), '{quoted}', '')]", "equals": ""},
        }
        rules += [(f"{name}:{i}", compiled(each)) for name, each in conditions.items()]
    found = database.ask(inventory, rules)
    for name, rule in rules:
        for row in rows:
            assert ((name, row.id) in found) is evaluate(rule.tree, row), (name, row.name)
    assert all((f"equals:{i}", f"r{i}") in found for i in range(len(NASTY)))
    assert inventory.execute("select count(*) from resources").fetchone() == (len(NASTY),)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_no_database_holds_is_refused(text: str) -> None:
    for condition in ({"field": FIELD, "equals": text}, {"field": f"tags['{text}']", "exists": True}):
        with pytest.raises(InvalidPolicy, match="text holds"):
            compiled(condition)
    with pytest.raises(InvalidPolicy, match="text holds"):
        compiled(
            {"field": FIELD, "equals": "[parameters('p')]"},
            parameters={"p": {"type": "String", "defaultValue": text}},
        )


def test_a_given_parameter_is_checked_like_the_document() -> None:
    document = {
        "parameters": {"p": {"type": "String"}},
        "policyRule": {"if": {"field": FIELD, "equals": "[parameters('p')]"}, "then": {"effect": "audit"}},
    }
    with pytest.raises(InvalidPolicy, match="NUL"):
        compile_policy(document, language="azure", parameters={"p": "a\x00"}, now=NOW)


def nested(depth: int, wrap: Any, core: Any) -> Any:
    for _ in range(depth):
        core = wrap(core)
    return core


@pytest.mark.parametrize("depth", [29, 35, 90, 5_000])
@pytest.mark.parametrize(
    "wrap", [lambda c: {"not": c}, lambda c: {"anyOf": [c, c]}, lambda c: {"allOf": [c]}]
)
def test_deep_rules_compile_or_are_refused_soon(depth: int, wrap: Any) -> None:
    started = time.monotonic()
    document = nested(depth, wrap, {"field": "name", "equals": "a"})
    try:
        compiled(document)
    except InvalidPolicy as error:
        assert any(words in error.reason for words in ("deeper", "more than"))
    assert time.monotonic() - started < 5


def test_deep_expressions_are_refused() -> None:
    with pytest.raises(InvalidPolicy, match="nested deeper"):
        compiled({"value": "[" + "toLower(" * 500 + "'a'" + ")" * 500 + "]", "equals": "a"})
    with pytest.raises(InvalidPolicy, match="longer"):
        compiled({"value": "[concat('" + "a" * 30_000 + "')]", "equals": "a"})


def test_an_expression_that_multiplies_its_text_stays_small(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [Resource(id="r", type="a/b", provider="azure", name="x/y", properties={})])
    inner = "field('name')"
    for _ in range(12):
        inner = f"first(split(concat({inner}, '/'), '/'))"
    started = time.monotonic()
    assert database.ask(inventory, [("p", compiled({"value": f"[{inner}]", "equals": "x"}))])
    assert time.monotonic() - started < 10


def test_billion_laughs_are_counted_as_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    bomb = yaml.safe_load("\n".join(lines))
    started = time.monotonic()
    with pytest.raises(InvalidPolicy, match="more than"):
        compiled({"field": "name", "in": bomb["a11"]})
    assert split_document(bomb) == []
    assert time.monotonic() - started < 5


def test_a_document_of_ten_megabytes_is_refused_or_read_soon() -> None:
    started = time.monotonic()
    many = [{"field": "name", "equals": f"n{i}"} for i in range(120_000)]
    with pytest.raises(InvalidPolicy):
        compiled({"anyOf": many})
    with pytest.raises(InvalidPolicy, match="characters"):
        compiled({"field": "name", "equals": "a" * 10_000_000})
    assert time.monotonic() - started < 10


def test_long_lists_are_answered(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [Resource(id="r", type="a/b", provider="azure", name="n49999", properties={})])
    rule = compiled({"field": "name", "in": [f"n{i}" for i in range(50_000)]})
    assert ("p", "r") in database.ask(inventory, [("p", rule)])


@pytest.mark.parametrize("operator", ["like", "match", "matchInsensitively", "contains"])
def test_patterns_take_linear_time(inventory: psycopg.Connection, operator: str) -> None:
    long = "a" * 200_000
    database.fill(inventory, [Resource(id="r", type="a/b", provider="azure", name=long + "!", properties={})])
    pattern = {"like": "a*a" + "a" * 500 + "b", "contains": "a" * 500 + "b"}.get(operator, "?" * 2_000 + "#")
    started = time.monotonic()
    rule = compiled({"field": "name", operator: pattern})
    assert not evaluate(rule.tree, Resource(type="a/b", name=long + "!", properties={}))
    assert database.ask(inventory, [("p", rule)]) == {}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"policyRule": None},
        {"policyRule": []},
        {"policyRule": {}},
        {"properties": 5},
        {"properties": {"policyRule": 1}},
        {"if": {}, "then": {}},
        {"if": None, "then": None},
        {"if": {"field": "name", "equals": 1}, "then": {"effect": 7}},
        {"if": {"field": ["name"], "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"field": "", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"count": {"value": 5}, "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"count": {"field": "tags[*]", "where": 5}, "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[field()]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[parameters()]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[if(1,2)]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[first()]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[split(field('name'))]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[concat()]", "equals": "x"}, "then": {"effect": "audit"}},
        {"if": {"value": "[add(field('name'))]", "less": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[range(0, 99999999)]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[padLeft('a', 999999999)]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[addDays(utcNow(), 99999999)]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[json('{')]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[div(1, 0)]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[current()]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[not(field('name'), 1)]", "equals": 1}, "then": {"effect": "audit"}},
        {"if": {"value": "[less('a', 1)]", "equals": 1}, "then": {"effect": "audit"}},
        {"parameters": [], "policyRule": {"if": {"field": "name", "equals": 1}, "then": {"effect": "audit"}}},
        {
            "parameters": {"a": 5},
            "policyRule": {"if": {"field": "name", "equals": 1}, "then": {"effect": "audit"}},
        },
        {"mode": 7, "policyRule": {"if": {"field": "name", "equals": 1}, "then": {"effect": "audit"}}},
        {"if": {"field": "name", "equals": 1}, "then": {"effect": "auditIfNotExists"}},
        {
            "if": {"field": "name", "equals": 1},
            "then": {"effect": "auditIfNotExists", "details": {"type": 5}},
        },
        {
            "if": {"field": "name", "equals": 1},
            "then": {"effect": "auditIfNotExists", "details": {"type": "[field('name')]"}},
        },
        {5: 6},
    ],
)
def test_a_document_that_is_no_policy_is_refused_with_a_place_and_a_reason(document: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        compile_policy(document, language="azure", now=NOW)
    assert caught.value.reason
    json.dumps([caught.value.path, caught.value.reason])


@pytest.mark.parametrize(
    "document", [None, 5, "x", [], [1, None, "x"], {"value": 5}, {"value": [[]]}, {"policies": 5}]
)
def test_a_file_that_holds_no_policy_has_no_definitions(document: Any) -> None:
    assert split_document(document) == []


def test_a_rule_with_thousands_of_conditions_is_answered_or_refused(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [Resource(id="r", type="a/b", provider="azure", name="n3999", properties={})])
    equal = compiled({"anyOf": [{"field": "name", "equals": f"n{i}"} for i in range(4_000)]})
    assert ("p", "r") in database.ask(inventory, [("p", equal)])
    ordered = {"anyOf": [{"field": f"tags.t{i}", "less": "2026-01-01"} for i in range(4_000)]}
    with pytest.raises(PolicyError, match="too large"):
        compiled(ordered)
