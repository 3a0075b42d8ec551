"""The elements of an array within a statement, and the subqueries over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from apps.rules.sql.fragment import EMPTY_ARRAY, Sql, all_of, any_of, closed, negate, reading, sql
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.tree import Collect


class Elements:
    """The elements of an array as a FROM item, with what is computed once for each of them."""

    def __init__(self, source: Sql, alias: str, aliases: frozenset[str]) -> None:
        self.source = source
        self.alias = alias
        self.aliases = aliases
        self._computed: dict[str, Sql] = {}

    def compute(self, expression: Sql, alias: str) -> Sql:
        """The expression as a column of the FROM item; `alias` is a fresh one, should it be needed."""
        known = repr((expression.text, expression.params))
        if known not in self._computed:
            self.source = sql(
                f"{{}} cross join lateral (select {{}} as v offset 0) {alias}", self.source, expression
            )
            self.aliases |= {alias}
            self._computed[known] = replace(reading(alias, f"{alias}.v"), level=expression.level)
        return self._computed[known]

    def closed(self, subquery: Sql, *more: str) -> Sql:
        """A subquery over the elements."""
        return closed(subquery, *self.aliases, *more)


def exists(elements: Elements, body: Truth) -> Truth:
    """Whether some element meets the body."""
    holds = elements.closed(sql("exists (select 1 from {} where {})", elements.source, body.holds))
    return Truth(holds) if body.fails is None else Truth(holds, none(elements, negate(body.fails)))


def none(elements: Elements, condition: Sql) -> Sql:
    """Whether no element meets the condition."""
    return elements.closed(sql("not exists (select 1 from {} where {})", elements.source, condition))


def all_valid(elements: Elements, over: SqlValue, where: Truth, item: SqlValue) -> Sql | None:
    """Whether every element has an answer to `where`, and those that meet it a value."""
    bad = []
    if where.fails is not None:
        bad.append(all_of([negate(where.holds), negate(where.fails)]))
    if item.valid is not None:
        bad.append(sql("case when {} then not ({}) else false end", where.holds, item.valid))
    if not bad:
        return over.valid
    return all_of([part for part in (over.valid, none(elements, any_of(bad))) if part is not None])


class Collected(SqlValue):
    """The members that a collection takes from the elements of an array, as rows until an array is asked for.

    A collection, count or quantifier over it reads the rows: arrays in between are never made. Members are put
    together in the order in which their elements come: PostgreSQL keeps it through the nested loops that lateral
    functions are.
    """

    def __init__(
        self, rows: Sql, alias: str, is_array: Sql, valid: Sql | None, share: Callable[[Sql], Sql]
    ) -> None:
        super().__init__("json", EMPTY_ARRAY, valid)
        self.rows = rows
        self.alias = alias
        self.is_array = is_array
        self._share = share

    def json(self) -> Sql:
        whole = sql(
            f"(select coalesce(jsonb_agg({self.alias}.value), {{}}) from {{}})", EMPTY_ARRAY, self.rows
        )
        return self._share(sql("case when {} then {} end", self.is_array, closed(whole, self.alias)))


def is_array(value: SqlValue) -> Sql:
    """Whether a value is an array; never NULL."""
    if isinstance(value, Collected):
        return value.is_array
    return sql("coalesce({} = 'array', false)", value.kind())


def members(elements: Elements, where: Truth, item: Sql, node: Collect, names: tuple[str, str]) -> Sql:
    """The FROM item of a collection's members, in the column `value` of the first of the names."""
    alias, each = names
    kept, value, source = [where.holds], reading(each, f"{each}.value"), elements.source
    if node.flatten:
        made = sql(
            f"{{}} cross join lateral (select {{}} as value offset 0) {each}_ cross join lateral"
            f" jsonb_array_elements(case when {each}_.value is null then {{}}"
            f" when jsonb_typeof({each}_.value) = 'array' then {each}_.value"
            f" else jsonb_build_array({each}_.value) end) {each}",
            source, item, EMPTY_ARRAY,
        )  # fmt: skip
    else:
        made = sql(f"{{}} cross join lateral (select {{}} as value offset 0) {each}", source, item)
        kept.append(sql("{} is not null", value))
    if node.skip_null:
        kept.append(sql("{} <> 'null'::jsonb", value))
    rows = sql(f"(select {{}} as value from {{}} where {{}}) {alias}", value, made, all_of(kept))
    return elements.closed(rows, each)
