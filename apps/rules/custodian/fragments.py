"""Forms of SQL that the operators of this dialect have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from apps.rules.dialect import SqlScope
from apps.rules.sql.fragment import Sql, closed, sql, texts
from apps.rules.sql.layers import written_once
from apps.rules.sql.values import SqlValue
from apps.rules.text import json_text
from apps.rules.tree import Json

_COLUMN = re.compile(r"\w+(\.\w+)?|%s::jsonb")
"""An expression that costs nothing to write twice: a column or a parameter."""


def once(value: SqlValue, scope: SqlScope, build: Callable[[Sql], Sql]) -> Sql:
    """`build(x)`, where x is the value as jsonb, computed once a row however often `build` writes it."""
    expression = value.json()
    shared = scope.share(expression)
    if _COLUMN.fullmatch(shared.text):
        return build(shared)
    alias = scope.alias()
    inner = build(scope.local(f"{alias}.v"))
    if written_once(inner, f"{alias}.v"):
        return build(sql("({})", expression))
    return closed(sql(f"(select {{}} from (select {{}} as v offset 0) {alias})", inner, expression), alias)


def is_kind(x: Sql, kind: str) -> Sql:
    """Whether a jsonb is of that kind; never NULL."""
    return sql(f"coalesce(jsonb_typeof({{}}) = '{kind}', false)", x)


def string_of(x: Sql) -> Sql:
    """A jsonb string as text, compared by code point."""
    return sql('(({} #>> array[]::text[]) collate "C")', x)


def jsonbs(values: Sequence[Json]) -> Sql:
    """A jsonb[] parameter."""
    return sql("{}::jsonb[]", texts([json_text(value) for value in values]))


def by_kind(x: Sql, cases: dict[str, Sql], otherwise: Sql) -> Sql:
    """A CASE over the kind of a jsonb; `otherwise` also where it is SQL NULL."""
    branches = "".join(f" when '{kind}' then {{}}" for kind in cases)
    return sql(f"case jsonb_typeof({{}}){branches} else {{}} end", x, *cases.values(), otherwise)
