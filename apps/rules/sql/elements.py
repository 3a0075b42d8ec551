"""The elements of an array within a statement, and the subqueries over them."""

from __future__ import annotations

from dataclasses import replace

from apps.rules.sql.fragment import Sql, all_of, any_of, closed, negate, reading, sql
from apps.rules.sql.values import SqlValue, Truth


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


def members(made: str, *, flatten: bool) -> Sql:
    """What an element gives to a collection: its value `made.value`, or that one's members."""
    one = reading(made, f"unnest(array[{made}.value]) with ordinality")
    if not flatten:
        return one
    return reading(
        made,
        f"jsonb_array_elements(case when {made}.value is null then jsonb_build_array()"
        f" when jsonb_typeof({made}.value) = 'array' then {made}.value"
        f" else jsonb_build_array({made}.value) end) with ordinality",
    )
