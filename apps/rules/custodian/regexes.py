"""Python regular expressions as PostgreSQL's, and a matcher whose time is bounded.

Python's own parser reads the pattern; what comes out means the same to PostgreSQL (advanced regular
expressions, collation "C"; PostgreSQL documentation 9.7.3) or is refused. Only "does it match at the start"
is asked, so that greediness is of no account.

`.` is not a newline, `$` also stands before a last newline, `\\b` and classes know Unicode: all of them are
written out. Refused: lookbehind, groups that are named or referred to, MULTILINE, repeats above 255.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from apps.rules.custodian.charsets import (
    LAST,
    Ranges,
    TooManyCharacters,
    category,
    complement,
    folded,
    normal,
)

LONGEST_PATTERN = 5_000
MOST_REPEATS = 255
"""PostgreSQL's DUPMAX."""
MOST_STATES = 20_000
"""Size of a pattern with its bounded repeats written out."""


class PatternRefused(ValueError):
    """A regular expression that is none, or that PostgreSQL cannot be asked."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` from `least` to `most` times; without end where `most` is None."""

    item: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Start:
    """The start of the text."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the text; with `newline`, also before a newline that ends it."""

    newline: bool


@dataclass(frozen=True, slots=True)
class Boundary:
    """Between a word's character and another, or not."""

    here: bool


@dataclass(frozen=True, slots=True)
class Ahead:
    """What follows matches, or does not; nothing is consumed."""

    item: Node
    wanted: bool


Node = Chars | Sequence | Either | Repeat | Start | End | Boundary | Ahead

_NEWLINE: Ranges = ((10, 10),)
ANYTHING = Chars(((0, LAST),))
_NOT_NEWLINE = Chars(complement(_NEWLINE))


@lru_cache(maxsize=512)
def parsed(pattern: str, *, ignore_case: bool = False) -> Node:
    """The pattern as a tree of nodes. Raises `PatternRefused`."""
    if len(pattern) > LONGEST_PATTERN:
        raise PatternRefused(f"the regular expression is longer than {LONGEST_PATTERN} characters")
    try:
        tree = import_module("re._parser").parse(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternRefused(f"no regular expression: {error}") from error
    if tree.state.groupdict:
        raise PatternRefused("named groups in a regular expression are not supported")
    try:
        node = _Reader(tree.state.flags).sequence(tree)
        states = _size(node)
    except TooManyCharacters as error:
        raise PatternRefused(str(error)) from error
    except RecursionError as error:
        raise PatternRefused("the regular expression is nested too deeply") from error
    if states > MOST_STATES:
        raise PatternRefused("the regular expression repeats too much")
    return node


class _Reader:
    """From Python's parse to nodes; `flags` are those in force."""

    def __init__(self, flags: int) -> None:
        if flags & (re.MULTILINE | re.LOCALE):
            raise PatternRefused("the flags m and L of a regular expression are not supported")
        self._flags = flags

    def sequence(self, items: Any) -> Node:
        return Sequence(tuple(self._item(str(op), value) for op, value in items))

    def _item(self, op: str, value: Any) -> Node:
        reader = getattr(self, f"_{op.lower()}", None)
        if reader is None:
            raise PatternRefused(f"{_NAMES.get(op, op.lower())} in a regular expression is not supported")
        node: Node = reader(value)
        return node

    def _literal(self, code: int) -> Node:
        return Chars(self._folded(((code, code),)))

    def _not_literal(self, code: int) -> Node:
        return Chars(complement(self._folded(((code, code),))))

    def _any(self, _: Any) -> Node:
        return ANYTHING if self._flags & re.DOTALL else _NOT_NEWLINE

    def _in(self, items: Any) -> Node:
        ranges: list[tuple[int, int]] = []
        plain: list[tuple[int, int]] = []
        negated = False
        for op, value in items:
            match str(op):
                case "NEGATE":
                    negated = True
                case "LITERAL":
                    plain.append((value, value))
                case "RANGE":
                    plain.append(value)
                case "CATEGORY":
                    ranges.extend(self._category(str(value)))
        chosen = normal([*ranges, *self._folded(normal(plain))])
        return Chars(complement(chosen) if negated else chosen)

    def _category(self, name: str) -> Ranges:
        words = name.lower().split("_")
        chosen = category(words[-1])
        if self._flags & re.ASCII:
            chosen = tuple((low, min(high, 127)) for low, high in chosen if low < 128)
        return complement(chosen) if "not" in words else chosen

    def _branch(self, value: Any) -> Node:
        return Either(tuple(self.sequence(branch) for branch in value[1]))

    def _subpattern(self, value: Any) -> Node:
        _, added, removed, items = value
        return _Reader((self._flags | added) & ~removed).sequence(items)

    def _max_repeat(self, value: Any) -> Node:
        least, most, items = value
        unbounded = str(most) == "MAXREPEAT"
        if least > MOST_REPEATS or (not unbounded and most > MOST_REPEATS):
            raise PatternRefused(f"a repeat above {MOST_REPEATS} in a regular expression is not supported")
        return Repeat(self.sequence(items), least, None if unbounded else most)

    _min_repeat = _max_repeat

    def _at(self, where: Any) -> Node:
        name = str(where).removeprefix("AT_")
        nodes: dict[str, Node] = {
            "BEGINNING": Start(),
            "BEGINNING_STRING": Start(),
            "END": End(newline=True),
            "END_STRING": End(newline=False),
            "BOUNDARY": Boundary(here=True),
            "NON_BOUNDARY": Boundary(here=False),
        }
        if self._flags & re.ASCII and "BOUNDARY" in name:
            raise PatternRefused("a word boundary with the flag a is not supported")
        return nodes[name]

    def _assert(self, value: Any) -> Node:
        return self._look(value, wanted=True)

    def _assert_not(self, value: Any) -> Node:
        return self._look(value, wanted=False)

    def _look(self, value: Any, *, wanted: bool) -> Node:
        direction, items = value
        if direction < 0:
            raise PatternRefused("lookbehind in a regular expression is not supported")
        return Ahead(self.sequence(items), wanted)

    def _folded(self, ranges: Ranges) -> Ranges:
        return folded(ranges) if self._flags & re.IGNORECASE and ranges else ranges


_NAMES = {
    "GROUPREF": "a reference to a group",
    "GROUPREF_EXISTS": "a condition on a group",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
    "FAILURE": "an empty lookahead",
}


def _size(node: Node) -> int:
    match node:
        case Sequence(items) | Either(items):
            return 1 + sum(_size(item) for item in items)
        case Repeat(item, least, most):
            return 1 + _size(item) * max(1, least if most is None else most)
        case Ahead(item):
            return 1 + _size(item)
        case _:
            return 1
