"""A laid out statement is the same statement."""

from __future__ import annotations

import re

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.rules.sql.layout import WIDTH, laid_out
from apps.rules.sql.query import hits_query
from benchmarks.policies import mixed_policies
from tests.rules import database

PIECES = [
    "(",
    ")",
    " ",
    "\n",
    "case",
    "when",
    "end",
    "and",
    ",",
    "'a  b'",
    "'it''s'",
    '"x y"',
    "'",
    '"',
    "%s",
    "left",
    "join",
    "::",
    "x.y",
]


def without_blanks(text: str) -> str:
    """Blanks inside quotes are content."""
    quoted = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
    return "".join(part if i % 2 else re.sub(r"\s+", "", part) for i, part in enumerate(quoted.split(text)))


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
def test_nothing_but_blanks_changes(text: str) -> None:
    assert without_blanks(laid_out(text)) == without_blanks(text)


@pytest.mark.parametrize("number", range(10))
def test_every_policys_statement_runs_as_it_is_laid_out(inventory: psycopg.Connection, number: int) -> None:
    query = hits_query([mixed_policies()[number]], tenant_id=database.TENANT)
    shown = laid_out(query.text)
    assert inventory.execute(shown, query.params).fetchall() == []
    lines = shown.splitlines()
    assert len(lines) > 20
    assert max(map(len, lines)) <= 1.3 * WIDTH
    assert all(line == line.rstrip() for line in lines)


def test_words_that_are_functions_begin_no_line() -> None:
    inner = ", ".join(f"left(a{n}, 3)" for n in range(20))
    assert not [
        line for line in laid_out(f"select f({inner}) from t").splitlines() if line.strip() == "left("
    ]


def test_deep_and_long_statements_are_laid_out_in_bounded_time() -> None:
    deep = "(" * 5_000 + "x" + ")" * 5_000
    assert without_blanks(laid_out(deep)) == deep
    cut = "select " + "coalesce((a), (" * 10_000
    assert without_blanks(laid_out(cut)) == without_blanks(cut)
