"""Value filters: SQL = reference evaluator = c7n, on the truth table and on random values."""

from __future__ import annotations

import csv
import json
from itertools import groupby
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.rules.custodian.context import Context
from apps.rules.custodian.filters import filters_rule
from apps.rules.custodian.value_filter import OPERATOR_NAMES
from apps.rules.errors import PolicyError
from tests.rules.custodian_oracle import CORPORA, NOW, by_c7n, by_reference, by_sql

TABLE = CORPORA / "policies" / "custodian" / "value_truth_table.csv"

GUESSED_DATES = {'"1.2.3"', '"1.10"'}
"""Texts that dateutil takes for dates (January 2003, the 10th of this month); the dialect reads ISO dates."""


def rule_of(filters: list[Any]) -> Any:
    return filters_rule(filters, Context(NOW, "aws.ec2"), "filters")


def _table() -> list[tuple[dict[str, Any], list[dict[str, str]]]]:
    with TABLE.open() as lines:
        cases = list(csv.DictReader(lines))

    def asked(case: dict[str, str]) -> tuple[str, str, str]:
        return case["op"], case["value_type"], case["policy_value"]

    groups = []
    for (op, value_type, value), members in groupby(sorted(cases, key=asked), key=asked):
        data = {"type": "value", "key": "v", "value": json.loads(value)}
        data |= {"op": op} if op else {}
        data |= {"value_type": value_type} if value_type else {}
        groups.append((data, list(members)))
    return groups


@pytest.mark.skipif(not TABLE.exists(), reason="the corpora are not here")
def test_every_case_of_the_truth_table_has_its_outcome(rules_connection: psycopg.Connection) -> None:
    wrong, checked, refused = [], 0, 0
    for data, cases in _table():
        if data.get("value_type") == "version":
            refused += len(cases)
            continue
        rule = rule_of([data])
        values = [case["resource_value"] for case in cases]
        documents = ["{}" if value == "<missing>" else f'{{"v": {value}}}' for value in values]
        answers = zip(
            cases, by_sql(rules_connection, rule, documents), by_reference(rule, documents), strict=True
        )
        for case, found, meant in answers:
            checked += 1
            wanted = "error" if case["result"].startswith("raises") else case["result"]
            guessed = (
                case["value_type"] in ("age", "expiration", "date")
                and case["resource_value"] in GUESSED_DATES
            )
            if not guessed and not found == meant == wanted:
                wrong.append((case, found, meant))
    assert wrong == []
    assert checked + refused == 6132
    assert refused == 42


def test_value_type_version_is_refused_by_name() -> None:
    with pytest.raises(PolicyError) as caught:
        rule_of([{"type": "value", "key": "v", "op": "lt", "value_type": "version", "value": "1.3"}])
    assert caught.value.path == "filters[0].value_type"
    assert "version" in caught.value.reason


# --- random values --------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "b", "ab", "A", " a ", "5", " 5 ", "05", "5.0", "1_000", "true", "absent", "present", "empty",
         "not-null", "é", "É", "straße", "10.0.0.0/16", "10.0.0.5", "10.0.1.0/24", "10.0.0.5/24", "::1",
         "2026-01-31", "2026-02-30", "2024-02-29", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.1234567+02:00",
         "2026/01/31", "20260131T101500Z", "1767225600", "Sat, 31 Jan 2026 10:00:00 GMT", "0001-01-02",
         "0001-01-01T00:00:00Z", "1767225600.5",
         "9999-12-31T23:59:59Z", "a%b_c", "a*", "[a]", "a\nb", "a\n", "'\"\\", "😀"]
    ),
    st.text(alphabet="abAB5 .*-_é\n", max_size=5),
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12),
    st.sampled_from([0.0, 1.0, 5.0, 5.5, -0.5, 1767225600, 1767225600000]),
    TEXTS,
)  # fmt: skip
KEYS = st.sampled_from(["a", "b", "5", "Key"])
VALUES = st.one_of(
    SCALARS,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=2)),
        max_leaves=6,
    ),
)
POLICY_VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=4))
TYPES = st.sampled_from([None, None, None, "normalize", "integer", "float", "size", "unique_size", "swap"])


@st.composite
def value_filters(draw: st.DrawFn) -> dict[str, Any]:
    data = {"type": "value", "key": "v", "value": draw(POLICY_VALUES)}
    operators = sorted(set(OPERATOR_NAMES) - {"regex", "regex-case"})
    if (op := draw(st.sampled_from([None, *operators]))) is not None:
        data["op"] = op
    if (value_type := draw(TYPES)) is not None:
        data["value_type"] = value_type
    return data


def assert_same(rules_connection: psycopg.Connection, filters: list[Any], documents: list[str]) -> None:
    """All three agree. A rule that cannot be compiled is none to compare."""
    try:
        rule = rule_of(filters)
    except PolicyError:
        return
    found, meant = by_sql(rules_connection, rule, documents), by_reference(rule, documents)
    assert found == meant, (filters, documents)
    assert found == by_c7n(filters, documents), (filters, documents)


COMMON = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def documents_of(values: list[Any]) -> list[str]:
    return ["{}", *(json.dumps({"v": value}, ensure_ascii=False) for value in values)]


@given(data=value_filters(), values=st.lists(VALUES, min_size=1, max_size=8))
@COMMON
def test_sql_reference_and_c7n_agree_on_random_values(rules_connection, data, values) -> None:
    assert_same(rules_connection, [data], documents_of(values))


@given(
    op=st.sampled_from(["gt", "ge", "lt", "le", "eq", "ne", "in", "not-in", "contains"]),
    value_type=st.sampled_from(["age", "expiration"]),
    days=st.one_of(st.integers(-400, 400), st.sampled_from([0.5, 90])),
    values=st.lists(VALUES, min_size=1, max_size=8),
)
@COMMON
def test_ages_agree_on_random_values(rules_connection, op, value_type, days, values) -> None:
    readable = [value for value in values if not (isinstance(value, str) and _only_dateutil_reads(value))]
    data = {"type": "value", "key": "v", "op": op, "value_type": value_type, "value": days}
    assert_same(rules_connection, [data], documents_of(readable))


@given(
    changes=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(list("0123456789:-T.Z+ tz\n/")), st.sampled_from("=+-")), max_size=3
    ),
    written=st.sampled_from(
        ["2026-01-31T10:00:00Z", "2026-02-28T23:59:59+00:00", "2024-02-29T00:00:00.1234567Z", "2025-12-31T10:00:00.5+00:00"]
    ),
)  # fmt: skip
@settings(COMMON, max_examples=400)
def test_dates_near_the_usual_form_agree(rules_connection, changes, written) -> None:
    for at, letter, how in changes:
        written = written[:at] + ("" if how == "-" else letter) + written[at + (how != "+") :]
    data = {"type": "value", "key": "v", "op": "ge", "value_type": "age", "value": 100}
    rule, documents = rule_of([data]), documents_of([written])
    assert by_sql(rules_connection, rule, documents) == by_reference(rule, documents), written


@pytest.mark.parametrize(
    "written",
    ["2023-01-31T24:00:00Z", "2023-01-31T10:00:60Z", "2023-02-30T10:00:00Z", "2023-1--31T10:00:00Z", "20-3-01-31T10:00:00Z",
     "2023-01-31T1a:00:00Z", "2023-01-31T10:60:00Z", "2023-13-31T10:00:00Z", "2023-01-31T10:00:00.Z", "20 3-01-31T10:00:00Z"],
)  # fmt: skip
def test_what_only_looks_like_a_date_is_none(rules_connection, written) -> None:
    rule = rule_of([{"type": "value", "key": "v", "op": "ge", "value_type": "age", "value": 100}])
    documents = documents_of([written])
    assert by_sql(rules_connection, rule, documents) == by_reference(rule, documents) == ["false", "false"]


def _only_dateutil_reads(value: str) -> bool:
    from c7n.utils import parse_date

    from apps.rules.custodian.dates import read_date

    try:
        return read_date(value) is None and parse_date(value) is not None
    except OverflowError:
        return True


@given(
    op=st.sampled_from(["eq", "ne", "in", "not-in", "ni"]),
    value=st.one_of(
        st.sampled_from(["10.0.0.0/16", "10.0.0.5", "0.0.0.0/0"]),
        st.lists(st.sampled_from(["10.0.0.0/16", "10.0.0.5", "192.168.0.0/24"]), min_size=1, max_size=3),
    ),
    values=st.lists(VALUES, min_size=1, max_size=8),
)
@COMMON
def test_networks_agree_on_random_values(rules_connection, op, value, values) -> None:
    data = {"type": "value", "key": "v", "op": op, "value_type": "cidr", "value": value}
    assert_same(
        rules_connection, [data], documents_of([value for value in values if not _nests_lists(value)])
    )


def _nests_lists(value: Any) -> bool:
    """A list of lists of networks is an error here, and not always one to c7n."""
    return isinstance(value, list) and any(isinstance(member, list) for member in value)


@given(
    op=st.sampled_from(["eq", "ne", "lt", "ge"]),
    value=st.integers(0, 32),
    values=st.lists(VALUES, max_size=8),
)
@COMMON
def test_prefix_lengths_agree_on_random_values(rules_connection, op, value, values) -> None:
    data = {"type": "value", "key": "v", "op": op, "value_type": "cidr_size", "value": value}
    assert_same(rules_connection, [data], documents_of(values))


@given(data=st.data(), values=st.lists(VALUES, min_size=1, max_size=6))
@COMMON
def test_boolean_groups_agree_on_random_values(rules_connection, data, values) -> None:
    leaf = st.one_of(
        st.builds(lambda value: {"v": value}, SCALARS),
        st.builds(lambda op, value: {"type": "value", "key": "v", "op": op, "value": value},
                  st.sampled_from(["ne", "in", "contains", "gt"]), POLICY_VALUES),
    )  # fmt: skip
    group = st.recursive(
        leaf,
        lambda inner: st.builds(
            lambda k, items: {k: items}, st.sampled_from(["and", "or", "not"]), st.lists(inner, max_size=3)
        ),
        max_leaves=6,
    )  # fmt: skip
    assert_same(rules_connection, data.draw(st.lists(group, max_size=3)), documents_of(values))


@given(
    name=st.sampled_from(["Owner", "env", "a.b"]),
    value=st.one_of(st.sampled_from(["absent", "present", "not-null", "empty"]), SCALARS),
    tags=st.one_of(
        st.builds(lambda pairs: {"Tags": [{"Key": k, "Value": v} for k, v in pairs]},
                  st.lists(st.tuples(st.sampled_from(["Owner", "env", "owner"]), TEXTS), max_size=4)),
        st.builds(lambda pairs: {"labels": pairs}, st.dictionaries(st.sampled_from(["Owner", "env"]), TEXTS)),
        st.builds(lambda pairs: {"tags": pairs}, st.dictionaries(st.sampled_from(["Owner", "a.b"]), TEXTS)),
        st.just({}),
    ),
)  # fmt: skip
@COMMON
def test_tags_agree_wherever_they_are_kept(rules_connection, name, value, tags) -> None:
    assert_same(rules_connection, [{f"tag:{name}": value}], [json.dumps(tags, ensure_ascii=False)])
