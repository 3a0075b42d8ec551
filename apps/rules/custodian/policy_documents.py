"""What is read out of an AWS policy document: statements, principals, conditions, the account of an ARN.

Source: c7n 0.9.53 `c7n/filters/iamaccess.py`. A document is a JSON object or the text of one.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.rules.custodian.conversions import conversion
from apps.rules.custodian.equality import known
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.custodian.jmes_functions import parsed_json
from apps.rules.custodian.regex_match import node_matches
from apps.rules.custodian.texts import glob_node
from apps.rules.dialect import Function, Operator, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, NULL_JSON, Sql, sql, text, texts
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.text import ascii_lower
from apps.rules.tree import MISSING, Json, JsonOrMissing

Args = Sequence[JsonOrMissing]

_CONDITION_OPERATORS = (
    "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress", "NotIpAddress",
)  # fmt: skip
"""Operators of conditions that restrict who is meant; c7n looks at no others but those over sets."""
_NO_OBJECT = 'strict $[*] ? (@.type() != "object")'


# --- statements -----------------------------------------------------------------------------------------------


def _statements(args: Args) -> JsonOrMissing:
    document, escaped = known(args[0]), args[1]
    if isinstance(document, str):
        document = known(parsed_json(document.replace("\\", "") if escaped else document))
        if document is None:
            raise EvaluationError("the policy document is no JSON")
    if document is None:
        return MISSING
    if not isinstance(document, dict):
        raise EvaluationError("the policy document is no object")
    found = document.get("Statement", [])
    listed: list[Json] = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in listed):
        raise EvaluationError("a statement of the policy document is no object")
    return listed


def _statements_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    def document(x: Sql) -> Sql:
        written = sql("replace({}, chr(92), '')", string_of(x)) if args[1].constant is True else string_of(x)
        read = sql("case when pg_input_is_valid({}, 'jsonb') then {}::jsonb end", written, written)
        return by_kind(x, {"string": read}, x)

    parsed = SqlValue("json", scope.share(once(args[0], scope, document)))

    def listed(d: Sql) -> Sql:
        found = sql("({} -> 'Statement')", d)
        one = sql("jsonb_build_array({})", found)
        return sql(
            "case when coalesce(jsonb_typeof({}), '') <> 'object' then null when {} is null then jsonb_build_array()"
            " when jsonb_typeof({}) = 'array' then {} else {} end",
            d, found, found, found, one,
        )  # fmt: skip

    statements = SqlValue("json", scope.share(once(parsed, scope, listed)))

    def objects(s: Sql) -> Sql:
        return sql(
            "case when {} is null then false else not jsonb_path_exists({}, {}::jsonpath) end",
            s,
            s,
            text(_NO_OBJECT),
        )

    absent = sql("coalesce({} = 'null'::jsonb, true)", args[0].json())
    valid = sql("case when {} then true else {} end", absent, once(statements, scope, objects))
    return SqlValue("json", statements.json(), valid)


# --- principals -----------------------------------------------------------------------------------------------


def _principals(args: Args) -> JsonOrMissing:
    value = known(args[0])
    held = value if isinstance(value, dict) else {"AWS": value}
    found: list[Json] = []
    for kind in held:
        if kind != "Service":
            members = held[kind]
            found.extend(members if isinstance(members, list) else [members])
    return found


def _principals_sql(x: Sql) -> Sql:
    members = "case jsonb_typeof(p.value) when 'array' then p.value else jsonb_build_array(p.value) end"
    of_object = sql(
        "(select coalesce(jsonb_agg(m.value order by p.ord, m.ord), jsonb_build_array())"
        " from jsonb_each({}) with ordinality p(key, value, ord)"
        f" cross join lateral jsonb_array_elements({members}) with ordinality m(value, ord)"
        " where p.key <> 'Service')",
        x,
    )
    one = sql("jsonb_build_array({})", x)
    return by_kind(x, {"object": of_object, "array": x}, one)


# --- conditions -----------------------------------------------------------------------------------------------


def _conditions(args: Args) -> JsonOrMissing:
    value = known(args[0])
    found: list[Json] = []
    for operator, compared in value.items() if isinstance(value, dict) else ():
        if operator in _CONDITION_OPERATORS or operator.startswith(("ForAllValues", "ForAnyValue")):
            for key, values in compared.items() if isinstance(compared, dict) else ():
                listed: list[Json] = values if isinstance(values, list) else [values]
                found.append({"key": ascii_lower(key), "values": listed})
    return found


def _conditions_sql(x: Sql) -> Sql:
    values = "case jsonb_typeof(k.value) when 'array' then k.value else jsonb_build_array(k.value) end"
    gathered = sql(
        "(select coalesce(jsonb_agg(jsonb_build_object('key', lower(k.key collate \"C\"), 'values',"
        f" {values}) order by o.ord, k.ord), jsonb_build_array())"
        " from jsonb_each({}) with ordinality o(key, value, ord) cross join lateral jsonb_each("
        "case when jsonb_typeof(o.value) = 'object' then o.value else jsonb_build_object() end)"
        " with ordinality k(key, value, ord) where o.key = any({}) or starts_with(o.key, 'ForAllValues')"
        " or starts_with(o.key, 'ForAnyValue'))",
        x,
        texts(_CONDITION_OPERATORS),
    )
    return by_kind(x, {"object": gathered}, sql("jsonb_build_array()"))


# --- accounts and actions -------------------------------------------------------------------------------------


def _account_of(args: Args) -> JsonOrMissing:
    value = args[0]
    if not isinstance(value, str):
        return MISSING
    return value.split(":", 5)[4] if value.count(":") >= 4 else value


def _account_of_sql(x: Sql) -> Sql:
    written = string_of(x)
    part = sql(
        "to_jsonb(case when cardinality(string_to_array({}, ':')) > 4 then split_part({}, ':', 5) else {} end)",
        written,
        written,
        written,
    )
    return by_kind(x, {"string": part}, NULL_JSON)


def _covers(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    """The action of a statement, a pattern, covers one of the actions."""
    if not isinstance(left, str) or not isinstance(right, list):
        return False
    node = glob_node(left.replace("[", "[[]"))
    return any(isinstance(each, str) and node_matches(node, each) for each in right)


def _covers_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    actions: list[str] = right.constant  # type: ignore[assignment]

    def build(x: Sql) -> Sql:
        escaped = sql("regexp_replace({}, {}, {}, 'g')", string_of(x), text(r"([\\%_])"), text(r"\\\1"))
        pattern = sql("replace(replace({}, '*', {}), '?', '_')", escaped, text("%"))
        held = sql('exists (select 1 from unnest({}) a where a collate "C" like {})', texts(actions), pattern)
        return by_kind(x, {"string": held}, FALSE)

    return Truth(once(left, scope, build))


OPERATORS = {"covers": Operator(_covers, _covers_sql, ("must not cover {}", "must cover one of {}"))}

FUNCTIONS = {
    "statements": Function(_statements, _statements_sql),
    "principals": conversion(_principals, _principals_sql),
    "conditions": conversion(_conditions, _conditions_sql),
    "account-of": conversion(_account_of, _account_of_sql),
}
