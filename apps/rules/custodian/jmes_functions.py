"""The functions that JMESPath expressions may call.

Source: jmespath.org specification and `jmespath/functions.py` 1.1; `split` and `from_json` are c7n's own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from apps.rules.custodian.conversions import FLOAT
from apps.rules.custodian.equality import equal, known, member_sql
from apps.rules.custodian.fragments import by_kind, string_of
from apps.rules.custodian.jmes_signatures import Args, SqlArgs, kind_of, kind_test, typed_function
from apps.rules.custodian.jmes_steps import members_of, members_sql
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, NULL_JSON, TRUE, Sql, closed, join, jsonb, reading, sql, text
from apps.rules.sql.values import NotConstant, SqlValue
from apps.rules.tree import MISSING, Json, JsonOrMissing


def _length_sql(x: Sql) -> Sql:
    cases = {
        "string": sql("to_jsonb(char_length({}))", string_of(x)),
        "array": sql("to_jsonb(jsonb_array_length({}))", x),
        "object": sql("to_jsonb((select count(*) from jsonb_object_keys({})))", x),
    }
    return by_kind(x, cases, NULL_JSON)


def _keys_sql(x: Sql) -> Sql:
    return sql(
        "(select coalesce(jsonb_agg(k.name order by k.ord), jsonb_build_array())"
        " from jsonb_object_keys({}) with ordinality k(name, ord))",
        x,
    )


def _contains(subject: Json, search: Json) -> Json:
    if isinstance(subject, list):
        return any(equal(search, member) for member in subject)
    if not isinstance(search, str) or not isinstance(subject, str):
        raise EvaluationError("contains() looks for a text in a text")
    return search in subject


def _contains_to_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    subject, search = args
    x, wanted = subject.json(), search.constant
    if isinstance(wanted, NotConstant):
        member = sql("exists (select 1 from jsonb_array_elements({}) m where m.value = {})", x, search.json())
        of_text = sql("strpos({}, {}) > 0", string_of(x), search.text())
        searchable = kind_test(search, ["string"])
    else:
        listed = member_sql(reading("m", "m.value"), [known(wanted)])
        member = closed(sql("exists (select 1 from jsonb_array_elements({}) m where {})", x, listed), "m")
        of_text = sql("strpos({}, {}) > 0", string_of(x), text(wanted)) if isinstance(wanted, str) else FALSE
        searchable = TRUE if isinstance(wanted, str) else FALSE
    held = by_kind(x, {"array": member, "string": sql("coalesce({}, false)", of_text)}, FALSE)
    valid = by_kind(x, {"array": TRUE, "string": searchable}, FALSE)
    return SqlValue("boolean", held, valid)


def parsed_json(written: Json) -> JsonOrMissing:
    """The JSON in a text, MISSING where PostgreSQL's jsonb would not take it."""
    try:
        found: Json = json.loads(str(written), parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return MISSING
    return MISSING if "\\u0000" in str(written) else found


def _no_number(name: str) -> Json:
    raise ValueError(name)


def _from_json_sql(x: Sql) -> Sql:
    written = string_of(x)
    return sql("case when pg_input_is_valid({}, 'jsonb') then {}::jsonb end", written, written)


def _to_number(value: Json) -> JsonOrMissing:
    if not isinstance(value, str):
        return value if kind_of(value) == "number" else MISSING
    try:
        read = Decimal(value.replace("_", "")) if _reads_as_number(value) else None
    except InvalidOperation:
        return MISSING
    return MISSING if read is None else read


def _reads_as_number(value: str) -> bool:
    return re.search(FLOAT.replace("$", r"\Z"), value) is not None


def _to_number_sql(x: Sql) -> Sql:
    written = string_of(x)
    read = sql(
        "case when {} ~ {} then to_jsonb(replace({}, '_', '')::numeric) end", written, text(FLOAT), written
    )
    return by_kind(x, {"number": x, "string": read}, NULL_JSON)


def _aggregate(name: str, how: str) -> Callable[[Sql], Sql]:
    """max, min: of numbers or of texts; sum, avg: of numbers."""

    def build(x: Sql) -> Sql:
        return sql(
            f"(select to_jsonb({how}((m.value #>> array[]::text[])::numeric)) from jsonb_array_elements({{}}) m)",
            x,
        )

    def either(x: Sql) -> Sql:
        texts = sql(
            f'(select to_jsonb({how}((m.value #>> array[]::text[]) collate "C")) from jsonb_array_elements({{}}) m)',
            x,
        )
        return sql("case when jsonb_typeof({} -> 0) = 'string' then {} else {} end", x, texts, build(x))

    return either if name in ("max", "min") else build


def _numbers(values: Json) -> list[Decimal]:
    return [Decimal(repr(v)) if isinstance(v, float) else Decimal(v) for v in values]  # type: ignore[union-attr, arg-type]


def _sum(values: Json) -> Json:
    return sum(_numbers(values), Decimal(0))


def _sort_sql(x: Sql) -> Sql:
    def gathered(order: str) -> Sql:
        return sql(
            f"(select coalesce(jsonb_agg(m.value order by {order}), jsonb_build_array())"
            " from jsonb_array_elements({}) m)",
            x,
        )

    return sql(
        "case when jsonb_typeof({} -> 0) = 'string' then {} else {} end",
        x,
        gathered('(m.value #>> array[]::text[]) collate "C"'),
        gathered("m.value"),
    )


def _reverse_sql(x: Sql) -> Sql:
    members = sql(
        "(select coalesce(jsonb_agg(m.value order by m.ord desc), jsonb_build_array())"
        " from jsonb_array_elements({}) with ordinality m(value, ord))",
        x,
    )
    return by_kind(x, {"array": members, "string": sql("to_jsonb(reverse({}))", string_of(x))}, NULL_JSON)


def _join_sql(glue: Sql, x: Sql) -> Sql:
    return sql(
        "(select to_jsonb(coalesce(string_agg(m.value, {} order by m.ord), ''))"
        " from jsonb_array_elements_text({}) with ordinality m(value, ord))",
        string_of(glue),
        x,
    )


def _split(separator: Json, whole: Json) -> Json:
    if not separator:
        raise EvaluationError("split() takes a separator")
    return list(str(whole).split(str(separator)))


def _rounded(how: str) -> Callable[[Sql], Sql]:
    return lambda x: sql(f"to_jsonb({how}(({{}} #>> array[]::text[])::numeric))", x)


def _not_null(args: Args) -> JsonOrMissing:
    return next((arg for arg in args if known(arg) is not None), MISSING)


def _not_null_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    tried = [sql("nullif({}, {})", arg.json(), jsonb(None)) for arg in args]
    return SqlValue("json", sql("coalesce({})", join(", ", tried)))


_ANY: tuple[str, ...] = ()
_STRING, _NUMBER, _ARRAY, _OBJECT = ("string",), ("number",), ("array",), ("object",)


def _two_texts(name: str, test: Callable[[str, str], bool], form: str) -> Function:
    return typed_function(
        name,
        (_STRING, _STRING),
        lambda a, b: test(a, b),
        lambda a, b: sql(f"to_jsonb({form})", string_of(a), *[string_of(b)] * (form.count("{}") - 1)),
    )


FUNCTIONS: dict[str, Function] = {
    "not_null": Function(_not_null, _not_null_sql),
    "length": typed_function("length", (("string", "array", "object"),), lambda v: len(v), _length_sql),
    "keys": typed_function("keys", (_OBJECT,), lambda v: list(v), _keys_sql),
    "values": typed_function("values", (_OBJECT,), members_of, members_sql),
    "contains": Function(lambda args: _contains(known(args[0]), known(args[1])), _contains_to_sql),
    "starts_with": _two_texts("starts_with", str.startswith, "starts_with({}, {})"),
    "ends_with": _two_texts("ends_with", str.endswith, "right({}, char_length({})) = {}"),
    "type": typed_function(
        "type", (_ANY,), kind_of, lambda x: sql("to_jsonb(coalesce(jsonb_typeof({}), 'null'))", x)
    ),
    "to_number": typed_function("to_number", (_ANY,), _to_number, _to_number_sql),
    "to_array": typed_function(
        "to_array",
        (_ANY,),
        lambda v: v if isinstance(v, list) else [v],
        lambda x: by_kind(x, {"array": x}, sql("jsonb_build_array({})", x)),
    ),
    "from_json": typed_function("from_json", (_STRING,), parsed_json, _from_json_sql),
    "split": typed_function(
        "split",
        (_STRING, _STRING),
        _split,
        lambda a, b: sql("to_jsonb(string_to_array({}, {}))", string_of(b), string_of(a)),
    ),
    "join": typed_function(
        "join", (_STRING, _ARRAY), lambda glue, values: glue.join(values), _join_sql, members="string", of=1
    ),
    "max": typed_function(
        "max", (_ARRAY,), lambda v: max(v, default=None), _aggregate("max", "max"), members="number|string"
    ),
    "min": typed_function(
        "min", (_ARRAY,), lambda v: min(v, default=None), _aggregate("min", "min"), members="number|string"
    ),
    "sum": typed_function(
        "sum",
        (_ARRAY,),
        _sum,
        lambda x: sql("coalesce({}, to_jsonb(0))", _aggregate("sum", "sum")(x)),
        members="number",
    ),
    "sort": typed_function("sort", (_ARRAY,), lambda v: sorted(v), _sort_sql, members="number|string"),
    "reverse": typed_function("reverse", (("array", "string"),), lambda v: v[::-1], _reverse_sql),
    "abs": typed_function("abs", (_NUMBER,), abs, _rounded("abs")),
    "ceil": typed_function("ceil", (_NUMBER,), math.ceil, _rounded("ceil")),
    "floor": typed_function("floor", (_NUMBER,), math.floor, _rounded("floor")),
}
