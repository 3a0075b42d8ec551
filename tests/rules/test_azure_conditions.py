"""Each condition of Azure Policy on single values, by the evaluator and by SQL at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.errors import EvaluationError, InvalidPolicy, Unsupported
from apps.rules.evaluate import Resource, evaluate
from apps.rules.tree import MISSING
from tests.rules import database
from tests.rules.conftest import NOW

FIELD = "Microsoft.Storage/storageAccounts/accessTier"
ERROR = "error"

# condition, value of the field, outcome
CASES: list[tuple[dict[str, Any], Any, bool | str]] = [
    ({"equals": "Hot"}, "hot", True),
    ({"equals": "Hot"}, "cool", False),
    ({"equals": "5"}, 5, True),
    ({"equals": 5}, "5", True),
    ({"equals": "5"}, Decimal("5.0"), False),
    ({"equals": "true"}, True, True),
    ({"equals": True}, "TRUE", True),
    ({"equals": ""}, MISSING, True),
    ({"equals": ""}, None, True),
    ({"equals": "KÖLN"}, "köln", True),
    ({"equals": "k"}, "\u212a", False),  # the Kelvin sign is no k
    ({"notEquals": "Hot"}, MISSING, True),
    ({"notEquals": "Hot"}, "HOT", False),
    ({"in": ["a", "B"]}, "b", True),
    ({"in": []}, "b", False),
    ({"in": ["", "x"]}, MISSING, True),
    ({"notIn": ["a"]}, MISSING, True),
    ({"notIn": ["a"]}, "A", False),
    ({"like": "pre*"}, "PREfix", True),
    ({"like": "*fix"}, "prefix", True),
    ({"like": "p*x"}, "px", True),
    ({"like": "pp*p"}, "pp", False),  # head and tail do not overlap
    ({"like": "5%*"}, "50", False),
    ({"like": "a_*"}, "abc", False),
    ({"like": "a\\*"}, "a\\b", True),
    ({"like": "hot"}, "HOT", True),
    ({"like": "*"}, MISSING, True),
    ({"notLike": "pre*"}, "suffix", True),
    ({"match": "##-??"}, "12-ab", True),
    ({"match": "##-??"}, "12-ab ", False),
    ({"match": "AB"}, "ab", False),
    ({"match": "a.c"}, "a\nc", True),
    ({"match": "(#)"}, "(7)", True),
    ({"match": "###"}, "12\n", False),
    ({"matchInsensitively": "AB#"}, "ab1", True),
    ({"notMatch": "#"}, "x", True),
    ({"contains": "OT"}, "hot", True),
    ({"contains": ""}, MISSING, True),
    ({"notContains": "x"}, MISSING, True),
    ({"containsKey": "A"}, {"a": 1}, True),
    ({"containsKey": "b"}, {"a": 1}, False),
    ({"containsKey": "a"}, "a", False),
    ({"notContainsKey": "a"}, MISSING, True),
    ({"exists": True}, None, False),
    ({"exists": "false"}, MISSING, True),
    ({"exists": True}, "", True),
    ({"exists": True}, [], True),
    ({"less": 7}, 5, True),
    ({"less": 7}, Decimal("7.0"), False),
    ({"lessOrEquals": 7}, Decimal("7.0"), True),
    ({"less": 7}, "5", ERROR),
    ({"less": 7}, MISSING, ERROR),
    ({"less": 7}, True, ERROR),
    ({"less": "b"}, "A", True),
    ({"less": "b"}, MISSING, True),
    ({"less": "b"}, 3, ERROR),
    ({"greater": "2026-01-01T00:00:00Z"}, "2026-01-01T00:30:00+01:00", False),
    ({"greater": "2026-01-01"}, "2026-01-01T00:00:00.1234567Z", True),
    ({"greater": "2026-02-30"}, "2026-03-01", True),  # no date: compared as texts
    ({"greaterOrEquals": 10**20}, 10**20, True),
    ({"greater": 5}, [6], ERROR),
]


def rule(condition: dict[str, Any]) -> CompiledRule:
    return compile_policy(
        {"policyRule": {"if": {"field": FIELD, **condition}, "then": {"effect": "audit"}}},
        language="azure",
        now=NOW,
    )


def account(number: int, value: Any) -> Resource:
    inner = {} if value is MISSING else {"accessTier": value}
    return Resource(
        id=f"r{number}",
        type="microsoft.storage/storageaccounts",
        provider="azure",
        properties={"properties": inner},
    )


def outcome(condition: dict[str, Any], resource: Resource) -> bool | str:
    try:
        return evaluate(rule(condition).tree, resource)
    except EvaluationError:
        return ERROR


@pytest.mark.parametrize(("condition", "value", "wanted"), CASES)
def test_the_evaluator_decides(condition: dict[str, Any], value: Any, wanted: bool | str) -> None:
    assert outcome(condition, account(0, value)) == wanted


def test_sql_decides_the_same_in_one_statement(inventory: psycopg.Connection) -> None:
    database.fill(inventory, [account(i, value) for i, (_, value, _) in enumerate(CASES)])
    found = database.ask(inventory, [(str(i), rule(condition)) for i, (condition, _, _) in enumerate(CASES)])
    got = {i: found.get((str(i), f"r{i}"), ("miss",))[0] for i in range(len(CASES))}
    wanted = {i: {True: "hit", False: "miss", ERROR: "error"}[case[2]] for i, case in enumerate(CASES)}
    assert got == wanted


def test_an_error_is_neither_swallowed_nor_contagious(inventory: psycopg.Connection) -> None:
    """Of an anyOf with an error, a true part makes it true; of an allOf, a false part makes it false."""
    broken, true = {"field": FIELD, "less": 7}, {"field": FIELD, "equals": "x"}
    cases = {
        "any": ({"anyOf": [broken, true]}, "hit"),
        "all": ({"allOf": [broken, true]}, "error"),
        "none": ({"allOf": [broken, {"not": true}]}, None),
        "not": ({"not": broken}, "error"),
    }
    database.fill(inventory, [account(0, "x")])
    policies = [
        (name, compile_policy({"if": condition, "then": {"effect": "audit"}}, language="azure", now=NOW))
        for name, (condition, _) in cases.items()
    ]
    found = database.ask(inventory, policies)
    assert {name: found.get((name, "r0"), (None,))[0] for name in cases} == {
        n: want for n, (_, want) in cases.items()
    }


@pytest.mark.parametrize(
    ("condition", "kind", "words"),
    [
        ({"field": FIELD, "equals": "a", "notEquals": "b"}, InvalidPolicy, "one operator"),
        ({"field": FIELD}, InvalidPolicy, "one operator"),
        ({"field": FIELD, "resembles": "a"}, InvalidPolicy, "resembles"),
        ({"equals": "a"}, InvalidPolicy, "field, value, count"),
        ({"field": FIELD, "in": "a"}, InvalidPolicy, "list"),
        ({"field": FIELD, "notIn": ["a", None]}, Unsupported, "null"),
        ({"field": FIELD, "like": "a*b*"}, InvalidPolicy, "at most one"),
        ({"field": FIELD, "exists": "perhaps"}, InvalidPolicy, "true or false"),
        ({"field": "Microsoft.Nobody/knows/this", "exists": True}, Unsupported, "not known"),
        ({"value": "[requestContext().apiVersion]", "equals": "a"}, Unsupported, "request"),
        ({"value": "[parameters('nope')]", "equals": "a"}, InvalidPolicy, "not declared"),
        ({"value": "[concat('a'", "equals": "a"}, None, ""),  # not an expression: no closing bracket
        ({"value": "[concat('a']", "equals": "a"}, InvalidPolicy, "cannot be read"),
        ({"value": "[frobnicate('a')]", "equals": "a"}, Unsupported, "frobnicate"),
        ({"count": {"field": FIELD}, "equals": 1}, InvalidPolicy, "[*]"),
        ({"allOf": "a"}, InvalidPolicy, "list"),
        ([], InvalidPolicy, "JSON object"),
    ],
)
def test_what_is_refused_names_the_place(condition: Any, kind: type[Exception] | None, words: str) -> None:
    document = {"policyRule": {"if": condition, "then": {"effect": "audit"}}}
    if kind is None:
        assert compile_policy(document, language="azure", now=NOW).runs
        return
    with pytest.raises(kind, match=r"policyRule\.if") as caught:
        compile_policy(document, language="azure", now=NOW)
    assert words in str(caught.value)
