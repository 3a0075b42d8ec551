"""Sets of characters as ranges of code points: what a regular expression's classes stand for in Python.

Python's `\\d`, `\\w`, `\\s` and its IGNORECASE know Unicode; PostgreSQL's depend on a collation. So every class
is written out as ranges, which both sides then read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module

Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, inclusive ranges of code points."""

LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
FOLDABLE = 20_000
"""Characters of a class above which letter case is not folded."""


class TooManyCharacters(ValueError):
    """A class is too wide for its letter case to be ignored."""


def normal(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The ranges sorted and merged."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """Every other code point."""
    outside: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if start < low:
            outside.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        outside.append((start, LAST))
    return tuple(outside)


def contains(ranges: Ranges, letter: str) -> bool:
    """Whether the character is in one of the ranges."""
    code = ord(letter)
    return any(low <= code <= high for low, high in ranges)


def _of(test: Callable[[str], bool]) -> Ranges:
    return normal((code, code) for code in range(LAST + 1) if code not in _SURROGATES and test(chr(code)))


@cache
def category(name: str) -> Ranges:
    """The characters of `digit`, `space` or `word` (Python `re`, str patterns)."""
    tests: dict[str, Callable[[str], bool]] = {
        "digit": str.isdecimal,
        "space": str.isspace,
        "word": lambda letter: letter.isalnum() or letter == "_",
    }
    return _of(tests[name])


@cache
def _lower_case() -> tuple[dict[int, int], dict[int, list[int]]]:
    """Each character's lower case where it is another one, and the characters that share a lower case."""
    lower: dict[int, int] = {}
    for code in range(0x1E944):
        small = chr(code).lower()
        if small != chr(code):
            lower[code] = ord(small[0])
    families: dict[int, list[int]] = {}
    for code, small_code in lower.items():
        families.setdefault(small_code, []).append(code)
    return lower, families


@cache
def _kin() -> dict[int, tuple[int, ...]]:
    """Lower-case characters that `re` takes for the same beside equal ones: dotless i, long s, final sigma
    …"""
    table = import_module("re._casefix")._EXTRA_CASES
    return {int(code): tuple(others) for code, others in table.items()}


def folded(ranges: Ranges) -> Ranges:
    """Every character that `re.IGNORECASE` takes for one of these. Raises `TooManyCharacters`."""
    if sum(high - low + 1 for low, high in ranges) > FOLDABLE:
        raise TooManyCharacters("the class has too many characters for its letter case to be ignored")
    lower, families = _lower_case()
    found: set[int] = set()
    for low, high in ranges:
        for code in range(low, high + 1):
            small = lower.get(code, code)
            for same in (small, *_kin().get(small, ())):
                found.update((same, *families.get(same, ())))
    # A character whose own lower case is another one is itself no lower case.
    return normal((code, code) for code in found if lower.get(code, code) in found)
