"""The functions of JMESPath expressions, and the steps that a path of the tree cannot take.

Source: jmespath.org specification and `jmespath/functions.py` 1.1; `split` and `from_json` are c7n's own. An
argument of a kind that the function does not take is an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from apps.rules.custodian.conversions import FLOAT
from apps.rules.custodian.equality import equal, known, member_sql
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, NULL_JSON, TRUE, Sql, all_of, integer, join, jsonb, sql, text
from apps.rules.sql.values import NotConstant, SqlValue
from apps.rules.tree import MISSING, Json, JsonOrMissing

Args = Sequence[JsonOrMissing]
SqlArgs = Sequence[SqlValue]

_KINDS: dict[str, Callable[[object], bool]] = {
    "string": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, (int, float, Decimal)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
    "null": lambda v: v is None or v is MISSING,
}


def kind_of(value: JsonOrMissing) -> str:
    """The JSON kind of a value."""
    return next(name for name, test in _KINDS.items() if test(value))


def _kind_test(value: SqlValue, kinds: Sequence[str]) -> Sql:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return sql(f"coalesce(jsonb_typeof({{}}), 'null') in ({listed})", value.json())


def _function(
    name: str,
    kinds: Sequence[Sequence[str]],
    evaluate: Callable[..., JsonOrMissing],
    build: Callable[..., Sql],
    *,
    members: str = "",
    of: int = 0,
) -> Function:
    """A function whose arguments must be of these kinds (none given: of any). `build` makes a jsonb of the
    arguments' jsonb. With `members`, the members of the argument `of` must all be of one of those kinds
    ("number|string")."""
    allowed_members = members.split("|") if members else []

    def run(args: Args) -> JsonOrMissing:
        for arg, allowed in zip(args, kinds, strict=True):
            if allowed and kind_of(arg) not in allowed:
                raise EvaluationError(f"{name}() takes no {kind_of(arg)}")
        if allowed_members and not _members_fit(args[of], allowed_members):
            raise EvaluationError(f"{name}() takes an array of {' or '.join(allowed_members)}s")
        return evaluate(*(known(arg) for arg in args))

    def to_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
        tests = [_kind_test(arg, allowed) for arg, allowed in zip(args, kinds, strict=True) if allowed]
        if allowed_members:
            fit = sql("({}) = any({})", _member_kinds(args[of]), _text_list(["", *allowed_members]))
            tests.append(fit)
        valid = all_of(tests) if tests else None
        shared = [scope.share(arg.json()) for arg in args]
        made = build(*shared)
        if valid is not None:
            made = sql("case when {} then {} end", valid, made)
        return SqlValue("json", scope.share(made), valid)

    return Function(run, to_sql)


def _members_fit(value: JsonOrMissing, allowed: Sequence[str]) -> bool:
    kinds = {kind_of(member) for member in value} if isinstance(value, list) else set()
    return len(kinds) <= 1 and kinds <= set(allowed)


def _member_kinds(value: SqlValue) -> Sql:
    """The kind of an array's members: '' without any, 'mixed' for several."""
    return sql(
        "(select case count(distinct jsonb_typeof(m.value)) when 0 then '' when 1 then min(jsonb_typeof(m.value))"
        " else 'mixed' end from jsonb_array_elements(case when jsonb_typeof({}) = 'array' then {}"
        " else jsonb_build_array() end) m)",
        value.json(),
        value.json(),
    )


def _text_list(values: list[str]) -> Sql:
    return Sql("%s::text[]", (values,))


# --- steps ----------------------------------------------------------------------------------------------------


def _field(value: Json, name: Json) -> JsonOrMissing:
    return value.get(str(name), MISSING) if isinstance(value, dict) else MISSING


def _index(value: Json, position: Json) -> JsonOrMissing:
    if not isinstance(value, list) or not isinstance(position, int):
        return MISSING
    return value[position] if -len(value) <= position < len(value) else MISSING


def _index_sql(x: Sql, position: Sql) -> Sql:
    return by_kind(x, {"array": sql("({} -> {})", x, position)}, NULL_JSON)


def _step(evaluate: Callable[[Json, Json], JsonOrMissing], build: Callable[[Sql, Json], Sql]) -> Function:
    """A step with a constant setting."""

    def to_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
        setting = args[1].constant
        if isinstance(setting, NotConstant):
            raise TypeError("a step has a constant setting")
        return SqlValue("json", once(args[0], scope, lambda x: build(x, known(setting))))

    return Function(lambda args: evaluate(known(args[0]), known(args[1])), to_sql)


def _slice(value: Json, bounds: Json) -> JsonOrMissing:
    if not isinstance(value, list) or not isinstance(bounds, list):
        return MISSING
    start, stop, step = bounds
    return value[slice(start, stop, step)]  # type: ignore[misc]


def _slice_sql(x: Sql, bounds: Json) -> Sql:
    start, stop, step = bounds  # type: ignore[misc]
    forward = step is None or step > 0  # type: ignore[operator]
    size = sql("jsonb_array_length({})", x)
    first = _bound(start, size, default=sql("0") if forward else sql("{} - 1", size), forward=forward)
    last = _bound(stop, size, default=size if forward else sql("-1"), forward=forward)
    stride = integer(1 if step is None else step)  # type: ignore[arg-type]
    end = sql("{} - 1", last) if forward else sql("{} + 1", last)
    gathered = sql(
        "(select coalesce(jsonb_agg({} -> i order by n), jsonb_build_array())"
        " from generate_series({}, {}, {}) with ordinality g(i, n))",
        x,
        first,
        end,
        stride,
    )
    return by_kind(x, {"array": gathered}, NULL_JSON)


def _bound(given: Json, size: Sql, *, default: Sql, forward: bool) -> Sql:
    """A bound of a Python slice as a position: negative ones count from the end, all are clamped."""
    if given is None:
        return default
    position = integer(given)  # type: ignore[arg-type]
    if given < 0:  # type: ignore[operator]
        position = sql("({} + {})", size, position)
    low, high = ("0", "{}") if forward else ("-1", "({} - 1)")
    return sql(f"least(greatest({{}}, {low}), {high})", position, size)


def _values(value: Json) -> JsonOrMissing:
    return list(value.values()) if isinstance(value, dict) else MISSING


def _values_sql(x: Sql) -> Sql:
    gathered = sql(
        "(select coalesce(jsonb_agg(e.value order by e.ord), jsonb_build_array())"
        " from jsonb_each({}) with ordinality e(key, value, ord))",
        x,
    )
    return by_kind(x, {"object": gathered}, NULL_JSON)


def _array(*values: Json) -> Json:
    return list(values)


def _array_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    return SqlValue("json", sql("jsonb_build_array({})", join(", ", [arg.json() for arg in args])))


def _object(args: Args) -> JsonOrMissing:
    names: list[str] = args[0]  # type: ignore[assignment]
    return {name: known(value) for name, value in zip(names, args[1:], strict=True)}


def _object_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    names: list[str] = args[0].constant  # type: ignore[assignment]
    pairs = [sql("{}, {}", text(name), arg.json()) for name, arg in zip(names, args[1:], strict=True)]
    return SqlValue("json", sql("jsonb_build_object({})", join(", ", pairs)))


def _or_null_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    return SqlValue("json", sql("coalesce({}, {})", args[0].json(), jsonb(None)))


def _not_null(args: Args) -> JsonOrMissing:
    return next((arg for arg in args if known(arg) is not None), MISSING)


def _not_null_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    tried = [sql("nullif({}, {})", arg.json(), jsonb(None)) for arg in args]
    return SqlValue("json", sql("coalesce({})", join(", ", tried)))


def _no_answer(args: Args) -> JsonOrMissing:
    raise EvaluationError(str(args[0]))


def _no_answer_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    return SqlValue("json", NULL_JSON, FALSE)


# --- functions ------------------------------------------------------------------------------------------------


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
        searchable = _kind_test(search, ["string"])
    else:
        listed = member_sql(Sql("m.value", local=True), [known(wanted)])
        member = sql("exists (select 1 from jsonb_array_elements({}) m where {})", x, listed)
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
    import re

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


_ANY: tuple[str, ...] = ()
_STRING, _NUMBER, _ARRAY, _OBJECT = ("string",), ("number",), ("array",), ("object",)


def _two_texts(name: str, test: Callable[[str, str], bool], form: str) -> Function:
    return _function(
        name,
        (_STRING, _STRING),
        lambda a, b: test(a, b),
        lambda a, b: sql(f"to_jsonb({form})", string_of(a), *[string_of(b)] * (form.count("{}") - 1)),
    )


FUNCTIONS: dict[str, Function] = {
    "field": _step(_field, lambda x, name: sql("({} -> {})", x, text(str(name)))),
    "index": _step(_index, lambda x, n: _index_sql(x, integer(n))),  # type: ignore[arg-type]
    "slice": _step(_slice, _slice_sql),
    "members": _step(lambda value, _: _values(value), lambda x, _: _values_sql(x)),
    "array": Function(lambda args: _array(*(known(arg) for arg in args)), _array_sql),
    "object": Function(_object, _object_sql),
    "or-null": Function(lambda args: known(args[0]), _or_null_sql),
    "array-only": _function("map", (_ARRAY,), lambda v: v, lambda x: x),
    "no-answer": Function(_no_answer, _no_answer_sql),
    "not_null": Function(_not_null, _not_null_sql),
    "length": _function("length", (("string", "array", "object"),), lambda v: len(v), _length_sql),
    "keys": _function("keys", (_OBJECT,), lambda v: list(v), _keys_sql),
    "values": _function("values", (_OBJECT,), _values, _values_sql),
    "contains": Function(lambda args: _contains(known(args[0]), known(args[1])), _contains_to_sql),
    "starts_with": _two_texts("starts_with", str.startswith, "starts_with({}, {})"),
    "ends_with": _two_texts("ends_with", str.endswith, "right({}, char_length({})) = {}"),
    "type": _function(
        "type", (_ANY,), kind_of, lambda x: sql("to_jsonb(coalesce(jsonb_typeof({}), 'null'))", x)
    ),
    "to_number": _function("to_number", (_ANY,), _to_number, _to_number_sql),
    "to_array": _function(
        "to_array",
        (_ANY,),
        lambda v: v if isinstance(v, list) else [v],
        lambda x: by_kind(x, {"array": x}, sql("jsonb_build_array({})", x)),
    ),
    "from_json": _function("from_json", (_STRING,), parsed_json, _from_json_sql),
    "split": _function(
        "split",
        (_STRING, _STRING),
        _split,
        lambda a, b: sql("to_jsonb(string_to_array({}, {}))", string_of(b), string_of(a)),
    ),
    "join": _function(
        "join", (_STRING, _ARRAY), lambda glue, values: glue.join(values), _join_sql, members="string", of=1
    ),
    "max": _function(
        "max", (_ARRAY,), lambda v: max(v, default=None), _aggregate("max", "max"), members="number|string"
    ),
    "min": _function(
        "min", (_ARRAY,), lambda v: min(v, default=None), _aggregate("min", "min"), members="number|string"
    ),
    "sum": _function(
        "sum",
        (_ARRAY,),
        _sum,
        lambda x: sql("coalesce({}, to_jsonb(0))", _aggregate("sum", "sum")(x)),
        members="number",
    ),
    "sort": _function("sort", (_ARRAY,), lambda v: sorted(v), _sort_sql, members="number|string"),
    "reverse": _function("reverse", (("array", "string"),), lambda v: v[::-1], _reverse_sql),
    "abs": _function("abs", (_NUMBER,), abs, _rounded("abs")),
    "ceil": _function("ceil", (_NUMBER,), math.ceil, _rounded("ceil")),
    "floor": _function("floor", (_NUMBER,), math.floor, _rounded("floor")),
}
