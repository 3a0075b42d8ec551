"""Which resources a rule can be about at all: the types that its conditions leave."""

from __future__ import annotations

from apps.rules.dialect import operator
from apps.rules.tree import Always, And, Column, Compare, Const, Not, Or, Path, Related, Rule, walk


def possible_types(rule: Rule, row: str = "", *, outcome: bool = True) -> frozenset[str] | None:
    """The lower-cased types of a row for which the rule can have the outcome, or be an error; None for any
    type."""
    match rule:
        case Always(known):
            return None if known is outcome else frozenset()
        case Not(item):
            return possible_types(item, row, outcome=not outcome)
        case And(items) | Or(items):
            sets = [possible_types(item, row, outcome=outcome) for item in items]
            return _common(sets) if isinstance(rule, And) is outcome else _together(sets)
        case Compare(dialect, op, Path(Column("type", of), ()), Const(value)) if of == row and outcome:
            only = operator(dialect, op).only
            return None if only is None else only(value)
    return None


def _common(sets: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [each for each in sets if each is not None]
    return frozenset.intersection(*known) if known else None


def _together(sets: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [each for each in sets if each is not None]
    return None if len(known) < len(sets) else frozenset().union(*known)


def related_types(rule: Rule) -> frozenset[str]:
    """The types of the other rows that a rule looks at; the answer is only as good as the inventory of
    those."""
    return frozenset(each for node in walk(rule) if isinstance(node, Related) for each in node.types)
