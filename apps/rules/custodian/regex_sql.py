"""Nodes of a regular expression as PostgreSQL's text of it."""

from __future__ import annotations

from functools import lru_cache

from apps.rules.custodian.charsets import LAST, Ranges, category, complement
from apps.rules.custodian.regexes import (
    Ahead,
    Boundary,
    Chars,
    Either,
    End,
    Node,
    Repeat,
    Sequence,
    Start,
    parsed,
)


@lru_cache(maxsize=512)
def postgres_pattern(pattern: str, *, ignore_case: bool = False) -> str:
    """An advanced regular expression that matches what `re.match` does. Raises `PatternRefused`."""
    return anchored(parsed(pattern, ignore_case=ignore_case))


def anchored(node: Node) -> str:
    """The node's pattern, held to the start of the text."""
    return "^" + _written(node, last=True)


def _written(node: Node, *, last: bool = False) -> str:
    """`last` where nothing follows the node, so that it may consume a last newline."""
    match node:
        case Chars(ranges):
            return _class(ranges)
        case Sequence(items):
            return "".join(_written(item, last=last and item is items[-1]) for item in items) or "(?:)"
        case Either(branches):
            return "(?:" + "|".join(_written(branch, last=last) for branch in branches) + ")"
        case Repeat(item, least, most):
            return f"(?:{_written(item)}){_bounds(least, most)}"
        case Start():
            return "^"
        case End(newline):
            if not newline:
                return "$"
            return r"\n?$" if last else r"(?=\n?$)"
        case Boundary(here):
            word = _class(category("word"))
            turns = (
                f"(?<={word})(?!{word})|(?<!{word})(?={word})",
                f"(?<={word})(?={word})|(?<!{word})(?!{word})",
            )
            return f"(?:{turns[0] if here else turns[1]})"
        case Ahead(item, wanted):
            return f"(?{'=' if wanted else '!'}{_written(item)})"


def _bounds(least: int, most: int | None) -> str:
    simple = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    upper = "" if most is None else str(most)
    return simple.get((least, most)) or f"{{{least},{upper}}}"


@lru_cache(maxsize=256)
def _class(ranges: Ranges) -> str:
    if ranges == ((0, LAST),):
        return "."
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _character(ranges[0][0])
    if not ranges:
        return "(?!)" if False else r"[^\u0001-\U0010ffff]"
    outside = complement(ranges)
    negated = len(outside) < len(ranges)
    inside = "".join(_range(low, high) for low, high in (outside if negated else ranges))
    return f"[{'^' if negated else ''}{inside}]"


def _range(low: int, high: int) -> str:
    first = _character(max(low, 1))  # no text of PostgreSQL holds a NUL
    return first if low == high else f"{first}-{_character(high)}"


def _character(code: int) -> str:
    letter = chr(code)
    if letter.isascii() and letter.isalnum():
        return letter
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
