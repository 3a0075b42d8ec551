"""Python's `==` over JSON values, which is what a value filter compares with.

Source of the rules: c7n 0.9.53 `c7n/filters/core.py`, `operator.eq`/`operator.ne`. Numbers are equal by
value (`5 == 5.0`), true is 1 and false is 0 at any depth, null and a missing value are the same, a string is
never a number.
"""

from __future__ import annotations

from decimal import Decimal

from apps.rules.custodian.fragments import jsonbs, once
from apps.rules.dialect import Operator, SqlScope
from apps.rules.sql.fragment import FALSE, Sql, all_of, any_of, integer, jsonb, negate, sql, text
from apps.rules.sql.values import NotConstant, SqlValue, Truth
from apps.rules.tree import MISSING, Json, JsonOrMissing

_SEVERAL = 4
"""Truth values and numbers 0/1 in a constant above which each member is compared by itself."""


def known(value: JsonOrMissing) -> Json:
    """Python has one None for null and missing."""
    return None if value is MISSING else value  # type: ignore[return-value]


def exact(value: Json) -> Decimal | int:
    """A number or a truth value as the number it equals, as jsonb would hold it."""
    return Decimal(repr(value)) if isinstance(value, float) else value  # type: ignore[return-value]


def is_number(value: object) -> bool:
    """Whether Python would compare it as a number: truth values are."""
    return isinstance(value, (bool, int, float, Decimal))


def equal(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    """`left == right` as Python has it."""
    a, b = known(left), known(right)
    if is_number(a) and is_number(b):
        return exact(a) == exact(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


def twins(scalar: Json) -> list[Json]:
    """The JSON scalars that equal this one: 1 and true, 0 and false."""
    if is_number(scalar) and exact(scalar) in (0, 1):
        return [bool(scalar), int(scalar)]  # type: ignore[arg-type]
    return [scalar]


def equal_sql(x: Sql, constant: Json) -> Sql:
    """Whether the jsonb `x` equals the constant; never NULL."""
    if constant is None:
        return sql("coalesce({} = {}, true)", x, jsonb(None))
    if isinstance(constant, (list, dict)):
        return _container_equal(x, constant)
    same = twins(constant)
    if len(same) == 1:
        return sql("coalesce({} = {}, false)", x, jsonb(constant))
    return sql("coalesce({} = any({}), false)", x, jsonbs(same))


def _container_equal(x: Sql, constant: list[Json] | dict[str, Json]) -> Sql:
    if not _has_twins(constant):
        return sql("coalesce({} = {}, false)", x, jsonb(constant))
    if isinstance(constant, list):
        members = [equal_sql(sql(f"({{}} -> {n})", x), item) for n, item in enumerate(constant)]
        size = sql("jsonb_array_length({}) = {}", x, integer(len(constant)))
        return _if_kind(x, "array", all_of([size, *members]))
    size = sql("(select count(*) from jsonb_object_keys({})) = {}", x, integer(len(constant)))
    there = [sql("jsonb_exists({}, {})", x, text(key)) for key in constant]
    members = [equal_sql(sql("({} -> {})", x, text(key)), item) for key, item in constant.items()]
    return _if_kind(x, "object", all_of([size, *there, *members]))


def _if_kind(x: Sql, kind: str, condition: Sql) -> Sql:
    return sql(f"case when jsonb_typeof({{}}) = '{kind}' then {{}} else false end", x, condition)


def _has_twins(value: Json) -> bool:
    if isinstance(value, list):
        return any(_has_twins(item) for item in value)
    if isinstance(value, dict):
        return any(_has_twins(item) for item in value.values())
    return len(twins(value)) > 1


def member_sql(x: Sql, items: list[Json]) -> Sql:
    """Whether the jsonb `x` equals one of the items; never NULL."""
    scalars = [twin for item in items if not _is_container(item) and item is not None for twin in twins(item)]
    tests = [equal_sql(x, item) for item in items if _is_container(item)]
    if scalars:
        tests.append(sql("coalesce({} = any({}), false)", x, jsonbs(scalars)))
    if None in items:
        tests.append(equal_sql(x, None))
    return any_of(tests) if tests else FALSE


def _is_container(value: Json) -> bool:
    return isinstance(value, (list, dict))


def _equal_values(left: SqlValue, right: SqlValue, scope: SqlScope) -> Sql:
    """Equality with a constant, or (where neither is one) of two texts."""
    if isinstance(right.constant, NotConstant):
        return sql("coalesce({} = {}, false)", left.json(), right.json())
    constant = known(right.constant)
    return once(left, scope, lambda x: equal_sql(x, constant))


def _equal_to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    return Truth(_equal_values(left, right, scope))


def _unequal_to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
    return Truth(negate(_equal_values(left, right, scope)))


OPERATORS = {
    "equal": Operator(equal, _equal_to_sql, ("must not be {}", "must be {}")),
    "not-equal": Operator(
        lambda left, right: not equal(left, right),
        _unequal_to_sql,
        ("must be {}", "must not be {}"),
        positive=False,
    ),
}
