"""substring, tryGet and ipRangeContains over values of the resource: by the evaluator, by SQL, and folded."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from apps.rules.azure.networks import ends_of
from apps.rules.compile import CompiledRule, compile_policy
from apps.rules.errors import EvaluationError, InvalidPolicy
from apps.rules.evaluate import Resource, evaluate
from tests.rules import database
from tests.rules.conftest import NOW

STORAGE = "Microsoft.Storage/storageAccounts"
TIER, ACLS = f"field('{STORAGE}/accessTier')", f"field('{STORAGE}/networkAcls')"
ERROR = "error"


def rule(expression: str, **test: Any) -> CompiledRule:
    condition = {"value": f"[{expression}]", **test}
    document = {"mode": "All", "policyRule": {"if": condition, "then": {"effect": "audit"}}}
    return compile_policy(document, language="azure", now=NOW)


def outcomes(connection: psycopg.Connection, made: CompiledRule, **properties: Any) -> bool | str:
    """What SQL says, which is what the evaluator says."""
    row = Resource(
        id="r", provider="azure", type=STORAGE.lower(), name="r", properties={"properties": properties}
    )
    database.empty(connection)
    database.fill(connection, [row])
    (said,) = database.ask(connection, [("p", made)]).values() or [(None, "")]
    try:
        expected: bool | str = evaluate(made.tree, row, [row])
    except EvaluationError:
        expected = ERROR
    assert {"hit": True, "error": ERROR, None: False}[said[0]] == expected
    return expected


@pytest.mark.parametrize(
    ("call", "value", "expected"),
    [
        ("substring({}, 0, 3)", "hot", "hot"),
        ("substring({}, 1)", "hot", "ot"),
        ("substring({}, 3)", "hot", ""),
        ("substring({}, 0, 0)", "", ""),
        ("substring({}, 1, 2)", "Köln", "öl"),
        ("substring({}, 1, 1)", "a\U0001f600b", "\U0001f600"),
        ("substring({}, 2, 2)", "hot", ERROR),
        ("substring({}, 4)", "hot", ERROR),
        ("substring({}, -1)", "hot", ERROR),
        ("substring({}, 0, 1)", 5, ERROR),
        ("substring({}, 0, 1)", None, ERROR),
        ("substring({}, 0, sub(length({}), 1))", "prod", "pro"),
        ("substring({}, 99999999999)", "prod", ERROR),
    ],
)
def test_substring(inventory: psycopg.Connection, call: str, value: Any, expected: Any) -> None:
    call = call.replace("{}", TIER)
    wanted = "-" if expected == ERROR else expected
    assert outcomes(inventory, rule(call, equals=wanted), accessTier=value) == (
        expected if expected == ERROR else True
    )
    if expected != ERROR:
        assert outcomes(inventory, rule(call, equals=f"{wanted}x"), accessTier=value) is False


@pytest.mark.parametrize(
    ("call", "value", "expected"),
    [
        ("tryGet({}, 'defaultAction')", {"defaultAction": "Deny"}, "Deny"),
        ("tryGet({}, 'DEFAULTACTION')", {"defaultAction": "Deny"}, "Deny"),
        ("tryGet({}, 'nothing')", {"defaultAction": "Deny"}, ""),
        ("tryGet({}, 'a', 1, 'b')", {"a": [0, {"b": "c"}]}, "c"),
        ("tryGet({}, 'a', 2, 'b')", {"a": [0, {"b": "c"}]}, ""),
        ("tryGet({}, 'a', -1)", {"a": [0]}, ""),
        ("tryGet({}, 'a')", {"a": None}, ""),
        ("tryGet({}, 'a')", "text", ""),
        ("tryGet({}, 'a')", None, ""),
        ("tryGet({}, 0)", ["x"], "x"),
    ],
)
def test_try_get_is_null_where_there_is_nothing(
    inventory: psycopg.Connection, call: str, value: Any, expected: str
) -> None:
    made = rule(call.format(ACLS), equals=expected)
    assert outcomes(inventory, made, networkAcls=value) is True
    assert outcomes(inventory, rule(call.format(ACLS), equals="other"), networkAcls=value) is False


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.9.9.9/8", "10.0.0.0/9", True),
        ("10.0.0.0/9", "10.0.0.0/8", False),
        ("10.0.0.1", "10.0.0.1/32", True),
        ("10.0.0.0-10.0.0.255", "10.0.0.0/24", True),
        (" 10.0.0.0 - 10.0.0.254 ", "10.0.0.0/24", False),
        ("0.0.0.0/0", "255.255.255.255", True),
        ("10.0.0.5-10.0.0.1", "10.0.0.3", False),
        ("2001:db8::/32", "2001:DB8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::", False),
        ("::/0", "10.0.0.1", False),
        ("0.0.0.0/0", "::1", False),
        ("::1-::ff", "::10/124", True),
        ("10.0.0.0/33", "10.0.0.1", ERROR),
        ("10.0.0/8", "10.0.0.1", ERROR),
        ("010.0.0.1", "10.0.0.1", ERROR),
        ("10.0.0.1\n", "10.0.0.1", ERROR),
        ("::1-10.0.0.1", "10.0.0.1", ERROR),
        ("fe80::1%eth0", "fe80::1", ERROR),
        ("AzureCloud", "10.0.0.1", ERROR),
        ("", "10.0.0.1", ERROR),
        (7, "10.0.0.1", ERROR),
        (None, "10.0.0.1", ERROR),
    ],
)
def test_ip_range_contains(
    inventory: psycopg.Connection, outer: Any, inner: str, expected: bool | str
) -> None:
    """Either side may be the resource's; with both known it is folded to the same."""
    hit = {"equals": True}
    assert (
        outcomes(inventory, rule(f"ipRangeContains({TIER}, '{inner}')", **hit), accessTier=outer) == expected
    )
    if not isinstance(outer, str):
        return
    assert (
        outcomes(inventory, rule(f"ipRangeContains('{outer}', {TIER})", **hit), accessTier=inner) == expected
    )
    both = f"ipRangeContains({TIER}, field('kind'))"
    assert outcomes(inventory, rule(both, **hit), accessTier=outer) == ERROR  # there is no kind
    folded = f"if(ipRangeContains('{outer}', '{inner}'), {TIER}, 'no')"
    if expected == ERROR:
        with pytest.raises(InvalidPolicy, match="ipRangeContains"):
            rule(folded, equals="x")
    else:
        assert outcomes(inventory, rule(folded, equals="x"), accessTier="x") is expected


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "1::",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1::8",
        "1:2::7:8",
        "ABCD:ef01::",
    ],
)
def test_an_address_in_any_spelling_is_read_as_postgresql_reads_it(
    inventory: psycopg.Connection, address: str
) -> None:
    first, last = ends_of(f"{address}/64")
    low, high = inventory.execute(
        "SELECT host(network(%s::inet)), host(broadcast(%s::inet))", [f"{address}/64"] * 2
    ).fetchone()  # type: ignore[misc]
    assert (str(first), str(last)) == (low, high)


@pytest.mark.parametrize(
    "text", [":::", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "1:2", ":1", "1.2.3.256", "1.2.3"]
)
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError):
        ends_of(text)
