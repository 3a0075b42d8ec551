"""The elements of an array within a statement, and the subqueries over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from apps.rules.sql.fragment import EMPTY_ARRAY, Sql, all_of, any_of, closed, negate, reading, sql, text
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.text import json_text
from apps.rules.tree import Collect, Element, Key, Path

if TYPE_CHECKING:
    from apps.rules.dialect import SqlScope


class Elements:
    """The elements of an array as a FROM item, with what is computed once for each of them."""

    def __init__(self, source: Sql, alias: str, aliases: frozenset[str], array: Sql | None = None) -> None:
        self.source = source
        self.alias = alias
        self.aliases = aliases
        self.array = array
        """What they are the elements of, if it is a jsonb."""
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


def elements_of(array: Sql, alias: str) -> Elements:
    """The elements of an array; none of what is no array.

    Not by jsonb_array_elements: a function in FROM writes what it gives into a store, at each call.
    """
    made = "(select jsonb_path_query({}, 'strict $[*]', silent => true) as value offset 0)"
    return Elements(sql(f"{made} {alias}", array), alias, frozenset({alias}), array)


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


@dataclass(frozen=True, slots=True)
class Way:
    """How the members of a collection are reached from an array by keys alone, as two jsonpaths.

    A path can't say "the members of an array, and what is no array as it is" of one item and "the member of an
    object, and nothing of an array" of the next: lax takes arrays apart for the latter too, strict for neither. So one
    finds all of what is meant, perhaps more, the other nothing else, perhaps less, both in the order that is meant.
    Where they find equally many, and in what clouds write they do, both are right.
    """

    array: Sql
    lax: str = "lax $[*]"
    # After .** a strict path leaves out what has no such member, where otherwise it would be an error.
    strict: str = "strict $.**{0}[*]"
    below_key: bool = False
    """Whether the last step was a key: below keys there are arrays, in arrays most often none."""

    def further(self, node: Collect) -> Way | None:
        """The way to the members of a collection over these; None where it takes more than keys."""
        value = node.value
        if node.where is not None or not isinstance(value, Path) or value.root != Element(node.binding):
            return None
        keys = [step for step in value.steps if isinstance(step, Key) and not step.fold]
        if len(keys) < len(value.steps):
            return None
        named = "".join(f".{json_text(key.name)}" for key in keys)
        lax, strict = self.lax + named, self.strict + named
        below_key = bool(keys) or self.below_key
        if node.flatten:
            lax, strict = f"{lax}[*]", strict + ("[*]" if below_key else ' ? (@.type() != "array")')
        strict += " ? (@ != null)" if node.skip_null else ""
        return Way(self.array, lax, strict, below_key and not node.flatten)

    def members(self, alias: str, slowly: Sql) -> Sql:
        """The members as an array; `slowly` says the same where the two paths differ."""
        return sql(
            f"(select case when jsonb_array_length({alias}.v) = jsonb_array_length(jsonb_path_query_array({{}}, {{}}))"
            f" then {alias}.v else {{}} end"
            f" from (select jsonb_path_query_array({{}}, {{}}) as v offset 0) {alias})",
            *(self.array, _jsonpath(self.lax), slowly, self.array, _jsonpath(self.strict)),
        )


def _jsonpath(path: str) -> Sql:
    return sql("{}::jsonpath", text(path))


class Collected(SqlValue):
    """The members that a collection takes from the elements of an array, as rows until an array is asked for.

    A collection, count or quantifier over it reads the rows: arrays in between are never made. Members are put
    together in the order in which their elements come: PostgreSQL keeps it through the nested subselects.
    """

    def __init__(
        self,
        rows: Sql,
        alias: str,
        is_array: Sql,
        valid: Sql | None,
        scope: SqlScope,
        way: Way | None,
    ) -> None:
        super().__init__("json", EMPTY_ARRAY, valid)
        self.rows = rows
        self.alias = alias
        self.is_array = is_array
        self.way = way
        self._scope = scope

    def json(self) -> Sql:
        whole = sql(
            f"(select coalesce(jsonb_agg({self.alias}.value), {{}}) from {{}})", EMPTY_ARRAY, self.rows
        )
        whole, own = closed(whole, self.alias), self._scope.alias()
        if self.way is not None:
            whole = closed(self.way.members(own, whole), own)
        made = sql("case when {} then {} end", self.is_array, whole)
        return self._scope.share(made)


def is_array(value: SqlValue) -> Sql:
    """Whether a value is an array; never NULL."""
    if isinstance(value, Collected):
        return value.is_array
    return sql("coalesce({} = 'array', false)", value.kind())


def members(elements: Elements, where: Truth, item: Sql, node: Collect, names: tuple[str, str]) -> Sql:
    """The FROM item of a collection's members, in the column `value` of the first of the names."""
    alias, each = names
    value = reading(each, f"{each}.value")
    made = sql("jsonb_path_query({}, 'lax $[*]')", item) if node.flatten else item
    rows = sql(
        f"(select {{}} as value from {{}} where {{}} offset 0) {each}", made, elements.source, where.holds
    )
    kept = [] if node.flatten else [sql("{} is not null", value)]
    if node.skip_null:
        kept.append(sql("{} <> 'null'::jsonb", value))
    rows = sql(f"(select {{}} as value from {{}} where {{}}) {alias}", value, rows, all_of(kept))
    return elements.closed(rows, each)
