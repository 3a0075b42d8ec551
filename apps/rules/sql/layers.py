"""From the columns that rules share to the layers of a statement: what is used once is written where it is used.

A column costs a step for every row, and is computed for every row, whatever the rule says before it. So only those that
several expressions read, or that are read inside a subquery (there perhaps once an element), stay columns; the others
are put into the expression that reads them, where a CASE or AND may spare them. What nobody reads is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from apps.rules.sql.fragment import Sql, join, statement

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


def _filled_in(expression: Sql, columns: Mapping[str, Sql]) -> Sql:
    """The expression with columns replaced by what they stand for."""
    if not columns:
        return expression
    out: list[str] = []
    params: list[object] = []
    rest = iter(expression.params)
    at = 0
    for found in _TOKEN.finditer(expression.text):
        word = found.group()
        if word == "%s":
            params.append(next(rest))
        elif word in columns:
            out.append(expression.text[at : found.start()])
            out.append(columns[word].text)
            params.extend(columns[word].params)
            at = found.end()
    out.append(expression.text[at:])
    return Sql("".join(out), tuple(params))


def layered(base: Sql, columns: Mapping[str, Sql], readers: Sequence[Sql]) -> tuple[Sql, list[Sql]]:
    """The subselect whose alias is to be `x`, and the readers over it.

    `base` (alias `x` too) gives the inventory's columns; `columns` maps `x.c0`, `x.c1`, … to what they are, each
    made of base columns and earlier ones; `readers` are the expressions that are wanted.
    """
    uses = _uses(columns, readers)
    inlined: dict[str, Sql] = {}
    levels: list[list[Sql]] = []
    level_of: dict[str, int] = {}
    for name, definition in columns.items():
        if name not in uses:
            continue
        made = _filled_in(definition, inlined)
        if uses[name] == 1 or (_BARE.fullmatch(made.text) and not made.params):
            inlined[name] = made if _BARE.fullmatch(made.text) else statement("({})", made)
            continue
        level = 1 + max((level_of[use.column] for use in used(made)), default=-1)
        level_of[name] = level
        while len(levels) <= level:
            levels.append([])
        levels[level].append(statement(f"{{}} as {name.removeprefix('x.')}", made))
    current = base
    for made_here in levels:
        current = statement("select x.*, {} from ({}) x offset 0", join(", ", made_here), current)
    return current, [_filled_in(reader, inlined) for reader in readers]


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
