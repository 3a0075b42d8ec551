"""From the columns that rules share to the layers of a statement: what is used once is written where it is used.

A column costs a step for every row, and is computed for every row, whatever the rule says before it. So only those that
several expressions read, or that are read inside a subquery (there perhaps once an element), stay columns; the others
are put into the expression that reads them, where a CASE or AND may spare them. What nobody reads is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from apps.rules.sql.fragment import MAX_TEXT, Sql, StatementTooLong, join, sql, statement

_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|%s|\bx\.c[0-9]+\b|\(\s*select\b|\(|\)""")
_BARE = re.compile(r"x\.\w+")


@dataclass(frozen=True, slots=True)
class _Use:
    column: str
    in_subquery: bool


def used(expression: Sql, token: re.Pattern[str] = _TOKEN) -> Iterator[_Use]:
    """Every place in which the expression reads a column."""
    subqueries: list[bool] = []
    for found in token.finditer(expression.text):
        word = found.group()
        if word.startswith("("):
            subqueries.append(word != "(")
        elif word == ")":
            subqueries.pop()
        elif word[0] not in "'\"%":
            yield _Use(word, any(subqueries))


def written_once(expression: Sql, name: str) -> bool:
    """Whether the expression reads `name` (an alias's column) exactly once, and in no subquery."""
    token = re.compile(rf"""'[^']*'|"[^"]*"|%s|\b{re.escape(name)}\b|\(\s*select\b|\(|\)""")
    places = list(used(expression, token))
    return len(places) == 1 and not places[0].in_subquery


def _filled_in(expression: Sql, columns: Mapping[str, Sql], limit: int | None = None) -> Sql:
    """The expression with columns replaced by what they stand for; `StatementTooLong` beyond `limit` characters."""
    if not columns:
        return expression
    out: list[str] = []
    params: list[object] = []
    rest = iter(expression.params)
    at, length = 0, len(expression.text)
    for found in _TOKEN.finditer(expression.text):
        word = found.group()
        if word == "%s":
            params.append(next(rest))
        elif word in columns:
            out.append(expression.text[at : found.start()])
            out.append(columns[word].text)
            length += len(columns[word].text)
            if limit is not None and length > limit:
                raise StatementTooLong(f"an expression has more than {limit} characters")
            params.extend(columns[word].params)
            at = found.end()
    out.append(expression.text[at:])
    return Sql("".join(out), tuple(params))


class Layers:
    """The subselect (`rows`) whose alias is to be `x`, and the readers over it.

    `base` (alias `x` too) gives the inventory's columns; `columns` maps `x.c0`, `x.c1`, … to what they are, each
    made of base columns and earlier ones; `readers` are the expressions that are wanted. Those in `repeated` become no
    columns, however often they are read.
    """

    def __init__(
        self,
        base: Sql,
        columns: Mapping[str, Sql],
        readers: Sequence[Sql],
        repeated: Collection[str] = (),
    ) -> None:
        self._columns = columns
        self._repeated = repeated
        self._written: dict[str, Sql] = {}
        self._level_of: dict[str, int] = {}
        self.rows = self._layered(base, _uses(columns, readers))
        self.readers = [_filled_in(reader, self._written) for reader in readers]

    def _layered(self, rows: Sql, uses: Counter[str]) -> Sql:
        levels: list[list[Sql]] = []
        for name, definition in self._columns.items():
            if name not in uses:
                continue
            made = _filled_in(definition, self._written)
            if uses[name] == 1 or name in self._repeated or (_BARE.fullmatch(made.text) and not made.params):
                self._written[name] = made if _BARE.fullmatch(made.text) else statement("({})", made)
                continue
            level = 1 + max((self._level_of[use.column] for use in used(made)), default=-1)
            self._level_of[name] = level
            while len(levels) <= level:
                levels.append([])
            levels[level].append(statement(f"{{}} as {name.removeprefix('x.')}", made))
        for made_here in levels:
            rows = statement("select x.*, {} from ({}) x offset 0", join(", ", made_here), rows)
        return rows

    def above(self, expression: Sql) -> Sql:
        """An expression over `rows` that was none of the readers: what is no column is written where it is read.

        Raises `StatementTooLong`.
        """
        for use in used(expression):
            if use.column not in self._written and use.column not in self._level_of:
                self._written[use.column] = sql("({})", self.above(self._columns[use.column]))
        return _filled_in(expression, self._written, MAX_TEXT)


_MANY = 2


def _uses(columns: Mapping[str, Sql], readers: Iterable[Sql]) -> Counter[str]:
    """How often each column is read by what is itself read; a place within a subquery counts as many."""
    uses: Counter[str] = Counter()

    def count(expression: Sql) -> None:
        for use in used(expression):
            uses[use.column] += _MANY if use.in_subquery else 1

    for reader in readers:
        count(reader)
    for name in reversed(list(columns)):
        if name in uses:
            count(columns[name])
    return uses
