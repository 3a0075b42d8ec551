"""Functions of JMESPath with their signatures: an argument of a kind that is not taken is an error.

Source: jmespath.org specification, "Data Types" and "Built-in Functions".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from apps.rules.custodian.equality import known
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import Sql, all_of, sql
from apps.rules.sql.values import SqlValue
from apps.rules.tree import MISSING, JsonOrMissing

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


def kind_test(value: SqlValue, kinds: Sequence[str]) -> Sql:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return sql(f"coalesce(jsonb_typeof({{}}), 'null') in ({listed})", value.json())


def typed_function(
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
        tests = [kind_test(arg, allowed) for arg, allowed in zip(args, kinds, strict=True) if allowed]
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
