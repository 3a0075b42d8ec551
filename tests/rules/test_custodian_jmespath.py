"""JMESPath keys: SQL = reference evaluator = c7n, on every form of expression that the dialect takes."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.rules.custodian.context import Context
from apps.rules.custodian.filters import filters_rule
from apps.rules.errors import PolicyError, Unsupported
from tests.rules.custodian_oracle import NOW, by_c7n, by_reference, by_sql

DOCUMENT: dict[str, Any] = {
    "State": {"Name": "running", "Code": 16},
    "State.Name": None,
    "odd key": 1,
    "Name": "web-1",
    "n": 5,
    "f": 2.5,
    "flag": False,
    "nothing": None,
    "text": "a,b,c",
    "json": '{"a": [1, {"b": null}]}',
    "empty": [],
    "list": [3, 1, 2],
    "words": ["b", "a", "é"],
    "mixed": [1, "a", None, True, [1], {"a": 1}],
    "nested": [[1, 2], [3], 4, [[5]]],
    "map": {"a": 1, "b": [1, 2], "c": None},
    "IpPermissions": [
        {"FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "10.0.0.0/8"}]},
        {"FromPort": 443, "IpRanges": []},
        {"IpRanges": None},
        "odd",
    ],
    "Tags": [{"Key": "Owner", "Value": "me"}, {"Key": "env", "Value": "prod"}, {"Key": "x"}],
}

EXPRESSIONS = """
State.Name
State
State.Missing.Deeper
"odd key"
nothing.x
list[0]
list[-1]
list[7]
n[0]
list[1:]
list[:-1]
list[::-1]
list[::2]
list[-2:]
n[:1]
IpPermissions[]
IpPermissions[].FromPort
IpPermissions[].IpRanges[].CidrIp
IpPermissions[*].IpRanges[].CidrIp
IpPermissions[*].IpRanges[*].CidrIp
IpPermissions[].IpRanges
nested[]
nested[][]
mixed[]
mixed[*].a
map.*
map.*[]
n.*
Tags[?Key=='Owner'].Value
Tags[?Key=='Owner'].Value | [0]
Tags[?Key!='Owner'].Value
Tags[?Value]
Tags[?!Value].Key
Tags[?Key=='Owner' && Value=='me'].Key
Tags[?Key=='Owner' || Key=='x'].Key
Tags[?starts_with(Key, 'O')].Value
Tags[?contains(['Owner', 'x'], Key)].Key
IpPermissions[?FromPort <= `22` && ToPort >= `22`]
IpPermissions[?FromPort > `100`].FromPort
IpPermissions[?ToPort == `null`].FromPort
list[?@ > `1`]
mixed[?@ == `1`]
mixed[?@ == `true`]
words[?@ > 'a']
length(list)
length(Name)
length(map)
length(n)
length(nothing)
keys(map)
keys(list)
values(map)
contains(text, 'b,')
contains(words, 'a')
contains(words, n)
contains(mixed, `true`)
contains(n, 'a')
contains(text, n)
starts_with(Name, 'web')
ends_with(Name, '-1')
ends_with(n, 'a')
join('-', words)
join('-', list)
split(',', text)
split(',', n)
from_json(json)
from_json(json).a[1].b
from_json(json).a[]
from_json(Name)
from_json(n)
type(nothing)
type(list)
type(flag)
to_number('5')
to_number(n)
to_number(Name)
to_array(n)
to_array(list)
not_null(nothing, missing, n)
max(list)
max(words)
max(mixed)
max(empty)
min(list)
sum(list)
sum(empty)
sum(words)
sort(words)
sort(list)
sort(mixed)
reverse(list)
reverse(Name)
abs(`-5`)
ceil(f)
floor(f)
map(&FromPort, IpPermissions)
map(&a, mixed)
map(&@, n)
[Name, n, missing]
{a: Name, b: missing}
nothing.[a, b]
IpPermissions[].[FromPort, ToPort]
IpPermissions[].{f: FromPort}
n == `5`
n == `5.0`
n != `5`
n < `6`
Name < 'x'
Name < n
flag < n
flag || n
n && Name
nothing || missing || 'fallback'
!flag
!n
!empty
(n)
@.n
`[1, 2]`
'raw'
`"5"`
State.Name | length(@)
list | [0]
IpPermissions[0].IpRanges[0].CidrIp
IpPermissions[?IpRanges[?CidrIp=='0.0.0.0/0']].FromPort
IpPermissions[?contains(IpRanges[].CidrIp, '0.0.0.0/0')].FromPort
Tags[*].Key | [?@=='env']
not a path
State.
[?
c7n:location.name
""".strip().splitlines()

CHECKS: list[dict[str, Any]] = [
    {"value": "absent"},
    {"value": "not-null"},
    {"value": [1, 2], "op": "eq"},
    {"value": 1},
    {"value": 0, "op": "gt", "value_type": "size"},
    {"value": "0.0.0.0/0", "op": "in", "value_type": "swap"},
    {"value": ["running", "me"], "op": "intersect"},
]


def three_ways(rules_connection: psycopg.Connection, filters: list[Any], documents: list[str]) -> None:
    rule = filters_rule(filters, Context(NOW, "aws.ec2"), "filters")
    found, meant = by_sql(rules_connection, rule, documents), by_reference(rule, documents)
    assert found == meant, filters
    assert found == by_c7n(filters, documents), filters


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_form_of_expression_gives_what_c7n_gives(rules_connection, expression) -> None:
    documents = [json.dumps(DOCUMENT, ensure_ascii=False), "{}"]
    for check in CHECKS:
        three_ways(rules_connection, [{"type": "value", "key": expression, **check}], documents)


MEMBERS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "a.b"]), inner, max_size=3)
    ),
    max_leaves=10,
)
PATHS = [
    "a", "a.b", "a[].b", "a[*].b", "a[].b[]", "a[0]", "a[-1].b", "a.*", "a[?b]", "a[?b=='a'].a", "a[?b==`1`]",
    "a | b", "a || b", "a && b", "!a", "a[].b | [0]", "a[*].b[*]", "a[][]", "[a, b]", "a[?a < b]", "a == b",
    "a[1:]", "length(a)", "length(a[])", "keys(a)", "contains(a, 'a')", "contains(a, `1`)", "max(a)", "sort(a)",
    "a[?contains(@, 'a')]", "not_null(a, b)", "a[*].[a, b][]", "a[?!b].a", "to_array(a)[0]", "a.b[0].a", "type(a)",
]  # fmt: skip


@given(
    path=st.sampled_from(PATHS),
    check=st.one_of(
        st.sampled_from(
            [{"value": "absent"}, {"value": "empty"}, {"value": True}, {"value": [], "op": "ne"}]
        ),
        st.builds(lambda v: {"value": v, "op": "contains"}, st.sampled_from(["a", 1, None])),
        st.builds(lambda v: {"value": v, "value_type": "size", "op": "gt"}, st.integers(0, 2)),
    ),
    documents=st.lists(st.dictionaries(st.sampled_from(["a", "b", "a.b"]), MEMBERS), min_size=1, max_size=6),
)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_expressions_agree_on_random_documents(rules_connection, path, check, documents) -> None:
    texts = [json.dumps(each) for each in documents]
    three_ways(rules_connection, [{"type": "value", "key": path, **check}], texts)


# Nothing but arrays and objects of one or two keys: an array where an object is meant, one object for an array of one,
# null among them. Where they are as clouds write them, members are found by paths, otherwise row by row.
NESTED = st.recursive(
    st.sampled_from([None, 1, "a"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3), st.fixed_dictionaries({}, optional={"a": inner, "b": inner})
    ),
    max_leaves=14,
)  # fmt: skip
CHAINS = [
    "a[].b[].a", "a[*].b[].a", "a[].b[*].a", "a[].b.a[]", "a[][].b", "a[].b[][]", "a[][]", "a[].b[].a[].b", "a.b[].a[]",
    'a[]."b"[]', "a[].b | [].a",
]  # fmt: skip


@given(
    path=st.sampled_from(CHAINS),
    value=st.sampled_from(["a", 1, None]),
    documents=st.lists(st.fixed_dictionaries({"a": NESTED}), min_size=1, max_size=12),
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_chains_of_arrays_agree_on_random_documents(rules_connection, path, value, documents) -> None:
    texts = [json.dumps(each) for each in documents]
    for check in (
        {"value": value, "op": "contains"},
        {"value": [value], "op": "eq"},
        {"value": 2, "value_type": "size", "op": "ge"},
    ):
        three_ways(rules_connection, [{"type": "value", "key": path, **check}], texts)


def test_keys_of_a_chain_are_taken_literally(rules_connection) -> None:
    key = 'a"b\\c\n$.*[0] %s'
    path = f"{json.dumps(key)}[].{json.dumps(key)}[].x"
    documents = [{key: [{key: [{"x": 1}, {"y": 2}]}, {key: {"x": 3}}]}, {key: [{key: [{"x": 2}]}]}, {"a": 1}]
    for value in (1, 2, 3):
        filters = [{"type": "value", "key": path, "op": "contains", "value": value}]
        three_ways(rules_connection, filters, [json.dumps(each) for each in documents])


@given(
    key=st.sampled_from(["a", "a[]", "a.b"]),
    attrs=st.lists(
        st.one_of(
            st.builds(lambda v: {"b": v}, st.sampled_from(["a", 1, "absent", "not-null"])),
            st.builds(lambda v: {"not": [{"a": v}]}, st.sampled_from(["a", "present"])),
            st.just({"or": [{"a": 1}, {"b": "empty"}]}),
        ),
        max_size=2,
    ),
    count=st.one_of(st.none(), st.tuples(st.sampled_from(["eq", "gte", "lt"]), st.integers(0, 2))),
    documents=st.lists(st.dictionaries(st.sampled_from(["a", "b"]), MEMBERS), min_size=1, max_size=6),
)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_list_items_agree_on_random_documents(rules_connection, key, attrs, count, documents) -> None:
    data: dict[str, Any] = {"type": "list-item", "key": key, "attrs": attrs}
    if count is not None:
        data |= {"count_op": count[0], "count": count[1]}
    three_ways(rules_connection, [data], [json.dumps(each) for each in documents])


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("sort_by(list, &a)", "sort_by()"),
        ("to_string(map)", "to_string()"),
        ("nonsense(list)", "nonsense()"),
        ("a.b" * 1000, "longer than"),
        (".".join(["[a, b]"] * 40), "too large"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(expression, reason) -> None:
    with pytest.raises(Unsupported) as caught:
        filters_rule([{"type": "value", "key": expression, "value": 1}], Context(NOW, "aws.ec2"), "filters")
    assert reason in caught.value.reason
    assert caught.value.path == "filters[0].key"


@given(source=st.text(alphabet="ab.[]*?&|!'`\"(){}@:,0 ", max_size=25))
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_key_brings_the_compiler_down(rules_connection, source) -> None:
    try:
        rule = filters_rule(
            [{"type": "value", "key": source, "value": "a"}], Context(NOW, "aws.ec2"), "filters"
        )
    except PolicyError:
        return
    assert by_sql(rules_connection, rule, ['{"a": [1]}', "{}"]) == by_reference(rule, ['{"a": [1]}', "{}"])
