"""The steps of JMESPath expressions that a path of the tree cannot take: into what an expression has made.

Source: jmespath.org specification; slices are Python's.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.rules.custodian.equality import known
from apps.rules.custodian.fragments import by_kind, once
from apps.rules.custodian.jmes_signatures import Args, SqlArgs, typed_function
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, NULL_JSON, Sql, integer, join, jsonb, sql, text
from apps.rules.sql.values import NotConstant, SqlValue
from apps.rules.tree import MISSING, Json, JsonOrMissing


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
    return value[slice(start, stop, step)]  # type: ignore[misc, str-unpack, arg-type]


def _slice_sql(x: Sql, bounds: Json) -> Sql:
    start, stop, step = bounds  # type: ignore[misc, str-unpack, arg-type]
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


def members_of(value: Json) -> JsonOrMissing:
    return list(value.values()) if isinstance(value, dict) else MISSING


def members_sql(x: Sql) -> Sql:
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


def _no_answer(args: Args) -> JsonOrMissing:
    raise EvaluationError(str(args[0]))


def _no_answer_sql(args: SqlArgs, scope: SqlScope) -> SqlValue:
    return SqlValue("json", NULL_JSON, FALSE)


FUNCTIONS: dict[str, Function] = {
    "field": _step(_field, lambda x, name: sql("({} -> {})", x, text(str(name)))),
    "index": _step(_index, lambda x, n: _index_sql(x, integer(n))),  # type: ignore[arg-type]
    "slice": _step(_slice, _slice_sql),
    "members": _step(lambda value, _: members_of(value), lambda x, _: members_sql(x)),
    "array": Function(lambda args: _array(*(known(arg) for arg in args)), _array_sql),
    "object": Function(_object, _object_sql),
    "or-null": Function(lambda args: known(args[0]), _or_null_sql),
    "array-only": typed_function("map", (("array",),), lambda v: v, lambda x: x),
    "no-answer": Function(_no_answer, _no_answer_sql),
}
