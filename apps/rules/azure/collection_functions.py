"""Template functions over arrays and objects, and what field() gives in place of nothing.

Source: Microsoft Learn, "Array functions for ARM templates" and "Object functions for ARM templates".
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from apps.rules.azure.operands import Args, as_whole, fail, given, is_kind, same
from apps.rules.azure.texts import text_of
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, Sql, all_of, integer, join, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.text import ascii_lower
from apps.rules.tree import MISSING, Json, JsonOrMissing


def or_empty_value(args: Args) -> JsonOrMissing:
    return "" if args[0] is MISSING or args[0] is None else args[0]


class _OrEmpty(SqlValue):
    """A value with the empty text in place of missing and null."""

    def __init__(self, inner: SqlValue) -> None:
        super().__init__("json", sql("null::jsonb"), inner.valid)
        self._inner = inner

    def json(self) -> Sql:
        return sql("coalesce(nullif({}, 'null'::jsonb), to_jsonb(''::text))", self._inner.json())

    def text(self) -> Sql:
        return sql("coalesce({}, '')", self._inner.text())


def or_empty_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return _OrEmpty(args[0])


def list_value(args: Args) -> Json:
    return [value for value in args if value is not MISSING]


def list_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    alias = scope.alias()
    items = join(", ", [arg.json() for arg in args]) if args else sql("null::jsonb")
    made = sql(
        f"(select coalesce(jsonb_agg({alias}.v order by {alias}.n), jsonb_build_array())"
        f" from unnest(array[{{}}]) with ordinality {alias}(v, n) where {alias}.v is not null)",
        items,
    )
    return SqlValue("json", scope.share(made))


def or_list_value(args: Args) -> JsonOrMissing:
    return [] if args[0] is MISSING else args[0]


def or_list_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return SqlValue("json", sql("coalesce({}, jsonb_build_array())", args[0].json()))


def length_value(args: Args) -> Json:
    value = args[0]
    if isinstance(value, str | list | dict):
        return len(value)
    raise fail("length() needs a text, an array or an object")


def length_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    if args[0].form == "text":
        return SqlValue("number", sql("length({})", args[0].text()), sql("({} is not null)", args[0].text()))
    json = scope.share(args[0].json())
    made = sql(
        "case jsonb_typeof({}) when 'array' then jsonb_array_length({}) when 'string' then"
        " length({} #>> array[]::text[]) when 'object' then "
        " (select count(*) from jsonb_object_keys({}))::integer"
        " else 0 end",
        json, json, json, json,
    )  # fmt: skip
    kinds = is_kind(SqlValue("json", json), "array", "string", "object")
    return SqlValue("number", scope.share(made), kinds)


def empty_value(args: Args) -> Json:
    value = args[0]
    if value is None or value is MISSING:
        return True
    if isinstance(value, str | list | dict):
        return not value
    raise fail("empty() needs a text, an array or an object")


def empty_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    if args[0].form == "text":
        return SqlValue("boolean", sql("coalesce({} = '', true)", args[0].text()))
    json = scope.share(args[0].json())
    made = sql(
        "coalesce({} in ('null'::jsonb, to_jsonb(''::text), jsonb_build_array(), jsonb_build_object()),"
        " true)",
        json,
    )
    scalar = sql("coalesce({} not in ('number', 'boolean'), true)", sql("jsonb_typeof({})", json))
    return SqlValue("boolean", made, scalar)


def end_of(position: int) -> Function:
    def evaluate(args: Args) -> Json:
        value = args[0]
        if isinstance(value, list):
            return value[position] if value else None
        if isinstance(value, str):
            return value[position] if value else ""
        raise fail("first() and last() need a text or an array")

    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        json = scope.share(args[0].json())
        side = sql(
            "left({} #>> array[]::text[], 1)" if position == 0 else "right({} #>> array[]::text[], 1)", json
        )
        made = sql(
            "case jsonb_typeof({}) when 'array' then coalesce({} -> {}, 'null'::jsonb)"
            " when 'string' then to_jsonb({}) else 'null'::jsonb end",
            json, json, integer(position), side,
        )  # fmt: skip
        kinds = is_kind(SqlValue("json", json), "array", "string")
        return SqlValue("json", scope.share(made), kinds)

    return Function(evaluate, to_sql)


def item_value(args: Args) -> JsonOrMissing:
    """`base[index]` and `base.name`."""
    base, index = args
    if isinstance(base, list) and not isinstance(index, str):
        position = as_whole(index)
        if 0 <= position < len(base):
            return base[position]
        raise fail("the index lies outside the array")
    if isinstance(base, dict) and isinstance(index, str):
        wanted = ascii_lower(index)
        names = (
            [index]
            if index in base
            else sorted((k for k in base if ascii_lower(k) == wanted), key=str.encode)
        )
        if names:
            return base[names[0]]
        raise fail("the object has no such property")
    raise fail("only arrays and objects have members")


def item_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    base, index = scope.share(args[0].json()), args[1].constant
    if isinstance(index, int | Decimal) and not isinstance(index, bool):
        is_array = is_kind(SqlValue("json", base), "array")
        found = sql(
            "case when {} then {} -> {} end", is_array, base, integer(int(index) if index >= 0 else 2**31 - 1)
        )
    elif isinstance(index, str):
        alias = scope.alias()
        found = sql(
            f"case when jsonb_typeof({{}}) = 'object' then coalesce({{}} -> {{}}, (select {alias}.value"
            f' from jsonb_each({{}}) {alias} where lower({alias}.key collate "C") = {{}}'
            f' order by {alias}.key collate "C" limit 1)) end',
            base, base, text(index), base, text(ascii_lower(index)),
        )  # fmt: skip
    else:
        return SqlValue("json", sql("null::jsonb"), FALSE)
    made = scope.share(found)
    return SqlValue("json", made, sql("({} is not null)", made))


def try_get_value(args: Args) -> Json:
    """tryGet(base, name or index, …): the member, or null where there is none, whatever the base is."""
    found: JsonOrMissing = args[0]
    for index in args[1:]:
        try:
            found = item_value((found, index))
        except EvaluationError:
            return None
    return given(found)


def try_get_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    found = args[0]
    for index in args[1:]:
        found = item_sql((found, index), scope)
    return SqlValue("json", sql("coalesce({}, 'null'::jsonb)", found.json()))


def contains_value(args: Args) -> Json:
    container, item = args
    if isinstance(container, str):
        if isinstance(item, list | dict):
            raise fail("contains() of a text needs a text")
        return text_of(item) in container
    if isinstance(container, list):
        return any(same(each, item) for each in container)
    if isinstance(container, dict):
        return isinstance(item, str) and item in container
    raise fail("contains() needs a text, an array or an object")


def contains_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    json, item = scope.share(args[0].json()), args[1]
    alias = scope.alias()
    value = scope.share(item.json())
    made = sql(
        "case jsonb_typeof({}) when 'string' then strpos({} #>> array[]::text[], coalesce({}, '')) > 0"
        f" when 'array' then exists (select 1 from jsonb_array_elements({{}}) {alias}(v) where {alias}.v"
        " = {})"
        " when 'object' then coalesce(jsonb_typeof({}) = 'string' and {} -> {} is not null, false)"
        " else false end",
        json, json, item.text(), json, value, value, json, item.text(),
    )  # fmt: skip
    valid = is_kind(SqlValue("json", json), "string", "array", "object")
    odd = sql(
        "not coalesce({} = 'string' and {} in ('array', 'object'), false)",
        sql("jsonb_typeof({})", json),
        sql("jsonb_typeof({})", value),
    )
    return SqlValue("boolean", made, all_of([valid, odd]))


def intersection_value(args: Args) -> Json:
    arrays = [arg for arg in args if isinstance(arg, list)]
    objects = [arg for arg in args if isinstance(arg, dict)]
    if len(arrays) == len(args):
        return [v for v in arrays[0] if all(any(same(v, w) for w in each) for each in arrays[1:])]
    if len(objects) == len(args):
        rest = objects[1:]
        return {k: v for k, v in objects[0].items() if all(k in each and same(each[k], v) for each in rest)}
    raise fail("intersection() needs arrays only or objects only")


def intersection_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    a, b = (scope.share(arg.json()) for arg in args)
    x, y, z = scope.alias(), scope.alias(), scope.alias()
    arrays = sql("coalesce(jsonb_typeof({}) = 'array' and jsonb_typeof({}) = 'array', false)", a, b)
    objects = sql("coalesce(jsonb_typeof({}) = 'object' and jsonb_typeof({}) = 'object', false)", a, b)
    made = sql(
        f"case when {{}} then (select coalesce(jsonb_agg({x}.v order by {x}.n), jsonb_build_array())"
        f" from jsonb_array_elements({{}}) with ordinality {x}(v, n)"
        f" where exists (select 1 from jsonb_array_elements({{}}) {y}(v) where {y}.v = {x}.v))"
        f" when {{}} then (select coalesce(jsonb_object_agg({z}.key, {z}.value), jsonb_build_object())"
        f" from jsonb_each({{}}) {z} where {{}} -> {z}.key = {z}.value) end",
        arrays, a, b, objects, a, b,
    )  # fmt: skip
    return SqlValue("json", scope.share(made), sql("({} or {})", arrays, objects))


def array_value(args: Args) -> Json:
    value = given(args[0])
    return value if isinstance(value, list) else [value]


def array_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    json = sql("coalesce({}, 'null'::jsonb)", args[0].json())
    made = sql(
        "case when jsonb_typeof({}) = 'array' then {} else jsonb_build_array({}) end", json, json, json
    )
    return SqlValue("json", scope.share(made))
