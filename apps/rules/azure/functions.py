"""Template functions over resource values: those that a condition may apply to what it reads.

Sources: Microsoft Learn, "ARM template functions" (string, array, comparison, logical, numeric) and "Azure
Policy definition structure: policy rule", Policy functions. Where ARM would fail (a wrong kind of argument,
an index out of range) the outcome is an error. Letter case of texts folds for A–Z only in `toLower` and
`toUpper`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from apps.rules.azure.texts import text_of
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, TRUE, Sql, all_of, integer, join, sql, text
from apps.rules.sql.values import NotConstant, SqlValue
from apps.rules.text import ascii_lower, plain_text
from apps.rules.tree import MISSING, Json, JsonOrMissing

Args = Sequence[JsonOrMissing]


def fail(why: str) -> EvaluationError:
    return EvaluationError(why)


def _given(value: JsonOrMissing) -> Json:
    return None if value is MISSING else value


def _kinds(value: SqlValue, *kinds: str, scope: SqlScope) -> Sql:
    """Whether a value is of one of the kinds; never NULL."""
    if value.form != "json":
        natural = {"text": "string", "number": "number", "boolean": "boolean"}[value.form]
        return sql("({} is not null)", value.expression) if natural in kinds else FALSE
    tests = [
        sql("{} = '%'".replace("%", kind), value.kind()) for kind in kinds
    ]  # kinds are words of this module
    return sql("coalesce({}, false)", join(" or ", tests))


def _shared(expression: Sql, scope: SqlScope) -> Sql:
    return scope.share(expression)


# --- what field() gives -------------------------------------------------------------------------------------


def _or_empty(args: Args) -> JsonOrMissing:
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


def _or_empty_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return _OrEmpty(args[0])


def _list(args: Args) -> Json:
    return [value for value in args if value is not MISSING]


def _list_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    alias = scope.alias()
    items = join(", ", [arg.json() for arg in args]) if args else sql("null::jsonb")
    made = sql(
        f"(select coalesce(jsonb_agg({alias}.v order by {alias}.n), jsonb_build_array())"
        f" from unnest(array[{{}}]) with ordinality {alias}(v, n) where {alias}.v is not null)",
        items,
    )
    return SqlValue("json", scope.share(made))


def _or_list(args: Args) -> JsonOrMissing:
    return [] if args[0] is MISSING else args[0]


def _or_list_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return SqlValue("json", sql("coalesce({}, jsonb_build_array())", args[0].json()))


# --- texts --------------------------------------------------------------------------------------------------


def _string(value: JsonOrMissing, what: str) -> str:
    if not isinstance(value, str):
        raise fail(f"{what} needs a text")
    return value


def _concat(args: Args) -> Json:
    if args and all(isinstance(arg, list) for arg in args):
        return [item for arg in args if isinstance(arg, list) for item in arg]
    if any(isinstance(arg, list | dict) for arg in args):
        raise fail("concat() needs texts, or arrays only")
    return "".join(text_of(arg) for arg in args)


def _concat_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    texts = join(" || ", [sql("coalesce({}, '')", arg.text()) for arg in args])
    scalar = all_of([sql("not {}", _kinds(arg, "array", "object", scope=scope)) for arg in args])
    arrays = all_of([_kinds(arg, "array", scope=scope) for arg in args])
    merged = join(
        " || ",
        [sql("case when {} then {} end", _kinds(a, "array", scope=scope), a.json()) for a in args],
    )
    both = sql("case when {} then {} else to_jsonb({}) end", arrays, merged, texts)
    return SqlValue("json", scope.share(both), sql("({} or {})", scalar, arrays))


def _replace(args: Args) -> Json:
    whole, old, new = (_string(arg, "replace()") for arg in args)
    return whole.replace(old, new) if old else whole


def _replace_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    made = sql("replace({}, {}, {})", *(sql("coalesce({}, '')", arg.text()) for arg in args))
    return SqlValue("text", scope.share(made), all_of([_kinds(a, "string", scope=scope) for a in args]))


def _upper(value: str) -> str:
    return "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in value)


def _cased(sql_name: str) -> Function:
    def evaluate(args: Args) -> Json:
        value = _string(args[0], sql_name)
        return ascii_lower(value) if sql_name == "lower" else _upper(value)

    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        made = sql(f'{sql_name}({{}} collate "C")', sql("coalesce({}, '')", args[0].text()))
        return SqlValue("text", scope.share(made), _kinds(args[0], "string", scope=scope))

    return Function(evaluate, to_sql)


def _trim(args: Args) -> Json:
    return _string(args[0], "trim()").strip(" \t\r\n")


def _trim_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    made = sql("btrim({}, {})", sql("coalesce({}, '')", args[0].text()), text(" \t\r\n"))
    return SqlValue("text", scope.share(made), _kinds(args[0], "string", scope=scope))


def _split(args: Args) -> Json:
    value = _string(args[0], "split()")
    delimiters = args[1] if isinstance(args[1], list) else [args[1]]
    wanted = [_string(each, "split()") for each in delimiters]
    if not wanted or "" in wanted:
        raise fail("split() needs a delimiter")
    return list(re.split("|".join(re.escape(each) for each in wanted), value))


def _split_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    value, delimiter = scope.share(sql("coalesce({}, '')", args[0].text())), args[1].text()
    made = sql(
        "case when {} = '' then jsonb_build_array('') else to_jsonb(string_to_array({}, {})) end",
        value,
        value,
        delimiter,
    )
    usable = sql("coalesce({} <> '', false)", delimiter)
    valid = all_of([_kinds(args[0], "string", scope=scope), _kinds(args[1], "string", scope=scope), usable])
    return SqlValue("json", scope.share(made), valid)


def _starts(args: Args) -> Json:
    whole, part = (_string(arg, "startsWith()") for arg in args)
    return ascii_lower(whole).startswith(ascii_lower(part))


def _ends(args: Args) -> Json:
    whole, part = (_string(arg, "endsWith()") for arg in args)
    return ascii_lower(whole).endswith(ascii_lower(part))


def _affix_sql(template: str) -> Any:
    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        folded = [sql("lower(coalesce({}, '') collate \"C\")", arg.text()) for arg in args]
        parts = folded if template.count("{}") == 2 else [folded[0], folded[1], folded[1]]
        return SqlValue(
            "boolean", sql(template, *parts), all_of([_kinds(a, "string", scope=scope) for a in args])
        )

    return to_sql


def _index_of(args: Args) -> Json:
    whole, part = (_string(arg, "indexOf()") for arg in args)
    return ascii_lower(whole).find(ascii_lower(part))


def _index_of_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    folded = [sql("lower(coalesce({}, '') collate \"C\")", arg.text()) for arg in args]
    valid = all_of([_kinds(a, "string", scope=scope) for a in args])
    return SqlValue("number", sql("(strpos({}, {}) - 1)", *folded), valid)


def _substring(args: Args) -> Json:
    value = _string(args[0], "substring()")
    start = _whole(args[1])
    length = _whole(args[2]) if len(args) > 2 else len(value) - start
    if start < 0 or length < 0 or start + length > len(value):
        raise fail("substring() reaches beyond its text")
    return value[start : start + length]


def _whole(value: JsonOrMissing) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float) or value != int(value):
        raise fail("a whole number is expected")
    return int(value)


# --- arrays, objects ----------------------------------------------------------------------------------------


def _length(args: Args) -> Json:
    value = args[0]
    if isinstance(value, str | list | dict):
        return len(value)
    raise fail("length() needs a text, an array or an object")


def _length_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
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
    kinds = _kinds(SqlValue("json", json), "array", "string", "object", scope=scope)
    return SqlValue("number", scope.share(made), kinds)


def _empty(args: Args) -> Json:
    value = args[0]
    if value is None or value is MISSING:
        return True
    if isinstance(value, str | list | dict):
        return not value
    raise fail("empty() needs a text, an array or an object")


def _empty_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
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


def _end(position: int) -> Function:
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
        kinds = _kinds(SqlValue("json", json), "array", "string", scope=scope)
        return SqlValue("json", scope.share(made), kinds)

    return Function(evaluate, to_sql)


def _item(args: Args) -> JsonOrMissing:
    """`base[index]` and `base.name`."""
    base, index = args
    if isinstance(base, list) and not isinstance(index, str):
        position = _whole(index)
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


def _item_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    base, index = scope.share(args[0].json()), args[1].constant
    if isinstance(index, int | Decimal) and not isinstance(index, bool):
        is_array = _kinds(SqlValue("json", base), "array", scope=scope)
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


def _contains(args: Args) -> Json:
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


def _contains_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
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
    valid = _kinds(SqlValue("json", json), "string", "array", "object", scope=scope)
    odd = sql(
        "not coalesce({} = 'string' and {} in ('array', 'object'), false)",
        sql("jsonb_typeof({})", json),
        sql("jsonb_typeof({})", value),
    )
    return SqlValue("boolean", made, all_of([valid, odd]))


def same(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    """Whether two JSON values are the same: as jsonb's `=`; numbers by value, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float) or isinstance(right, float):
        return _decimal(left) == _decimal(right)
    return (type(left) is type(right) and left == right) or (
        _decimal(left) is not None and _decimal(left) == _decimal(right)
    )


def _decimal(value: JsonOrMissing) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _intersection(args: Args) -> Json:
    arrays = [arg for arg in args if isinstance(arg, list)]
    objects = [arg for arg in args if isinstance(arg, dict)]
    if len(arrays) == len(args):
        return [v for v in arrays[0] if all(any(same(v, w) for w in each) for each in arrays[1:])]
    if len(objects) == len(args):
        rest = objects[1:]
        return {k: v for k, v in objects[0].items() if all(k in each and same(each[k], v) for each in rest)}
    raise fail("intersection() needs arrays only or objects only")


def _intersection_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
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


def _array(args: Args) -> Json:
    value = _given(args[0])
    return value if isinstance(value, list) else [value]


def _array_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    json = sql("coalesce({}, 'null'::jsonb)", args[0].json())
    made = sql(
        "case when jsonb_typeof({}) = 'array' then {} else jsonb_build_array({}) end", json, json, json
    )
    return SqlValue("json", scope.share(made))


# --- comparison, numbers ------------------------------------------------------------------------------------


def _equal(args: Args) -> Json:
    return same(_given(args[0]), _given(args[1]))


def _equal_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    left, right = (sql("coalesce({}, 'null'::jsonb)", arg.json()) for arg in args)
    return SqlValue("boolean", sql("({} = {})", left, right))


def _int(args: Args) -> Json:
    value = args[0]
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _whole(value)
    raise fail("int() needs a whole number")


def _int_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    json, written = scope.share(args[0].json()), args[0].text()
    pattern = sql(
        "coalesce(jsonb_typeof({}) in ('string', 'number') and {} ~ {}, false)",
        json,
        written,
        text(r"^[+-]?[0-9]{1,18}(\.0+)?$"),
    )
    no_text_fraction = sql("not (jsonb_typeof({}) = 'string' and strpos({}, '.') > 0)", json, written)
    valid = scope.share(sql("coalesce({} and {}, false)", pattern, no_text_fraction))
    made = scope.share(sql("case when {} then ({})::numeric::bigint end", valid, written))
    return SqlValue("number", made, valid)


def _text(args: Args) -> Json:
    return plain_text(_given(args[0])) or ""


def _text_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return SqlValue("text", sql("coalesce({}, '')", args[0].text()))


def _arithmetic(symbol: str) -> Function:
    def evaluate(args: Args) -> Json:
        left, right = _whole(args[0]), _whole(args[1])
        return {"+": left + right, "-": left - right, "*": left * right}[symbol]

    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        numbers, valid = zip(*(_whole_sql(arg, scope) for arg in args), strict=True)
        return SqlValue("number", sql(f"({{}} {symbol} {{}})", *numbers), all_of(list(valid)))

    return Function(evaluate, to_sql)


def _whole_sql(value: SqlValue, scope: SqlScope) -> tuple[Sql, Sql]:
    if value.form == "number":
        return sql("({})::numeric", value.expression), TRUE
    json = value.json()
    number = sql("(case when jsonb_typeof({}) = 'number' then ({})::numeric else 0 end)", json, json)
    whole = sql("{} = trunc({})", number, number)
    return number, all_of([_kinds(value, "number", scope=scope), whole])


def known(value: SqlValue) -> bool:
    """Whether a value is known at compile time."""
    return not isinstance(value.constant, NotConstant)


FUNCTIONS: dict[str, Function] = {
    "or_empty": Function(_or_empty, _or_empty_sql),
    "or_list": Function(_or_list, _or_list_sql),
    "list": Function(_list, _list_sql),
    "item": Function(_item, _item_sql),
    "concat": Function(_concat, _concat_sql),
    "replace": Function(_replace, _replace_sql),
    "toLower": _cased("lower"),
    "toUpper": _cased("upper"),
    "trim": Function(_trim, _trim_sql),
    "split": Function(_split, _split_sql),
    "startsWith": Function(_starts, _affix_sql("starts_with({}, {})")),
    "endsWith": Function(_ends, _affix_sql("(right({}, length({})) = {})")),
    "indexOf": Function(_index_of, _index_of_sql),
    "length": Function(_length, _length_sql),
    "empty": Function(_empty, _empty_sql),
    "first": _end(0),
    "last": _end(-1),
    "contains": Function(_contains, _contains_sql),
    "intersection": Function(_intersection, _intersection_sql),
    "array": Function(_array, _array_sql),
    "equals": Function(_equal, _equal_sql),
    "int": Function(_int, _int_sql),
    "string": Function(_text, _text_sql),
    "add": _arithmetic("+"),
    "sub": _arithmetic("-"),
    "mul": _arithmetic("*"),
}
"""Functions whose arguments may come from the resource. ARM's names; those in snake case are the front end's
own."""

ARITY: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        [
            "tolower",
            "toupper",
            "trim",
            "length",
            "empty",
            "first",
            "last",
            "array",
            "int",
            "string",
            "json",
            "bool",
        ],
        (1, 1),
    ),
    **dict.fromkeys(
        [
            "split",
            "startswith",
            "endswith",
            "indexof",
            "lastindexof",
            "contains",
            "equals",
            "add",
            "sub",
            "mul",
            "div",
        ],
        (2, 2),
    ),
    **dict.fromkeys(
        ["mod", "adddays", "take", "skip", "join", "range", "iprangecontains", "intersection"], (2, 2)
    ),
    "replace": (3, 3),
    "concat": (1, 100),
    "substring": (2, 3),
    "padleft": (2, 3),
}
"""How many arguments a function takes, by lower-cased name: least and most."""
