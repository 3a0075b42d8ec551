"""A statement laid out for people: broken into lines and indented, and not one character but blanks changed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

WIDTH = 100
"""Characters of a line, where there is a place to break it."""
INDENT = "  "
DEEPEST = 60
"""Levels of parentheses that are laid out; what lies deeper stays on its line."""

_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\s+|\w+|[()]|[^\s\w'"()]+|['"]""")
# What begins a line. A word before a parenthesis is a function's name: left(…) is no join.
_CLAUSES = {"select", "from", "where", "group", "order", "having", "limit", "offset", "union", "with"}
_JOINS = {"join", "cross", "left", "full"}
_PARTS = {"and", "or", "when", "else"}


@dataclass
class _Group:
    """What stands between two parentheses; `closed` is false where the text was cut before the second."""

    items: list[_Item] = field(default_factory=list)
    closed: bool = False
    spaced: bool = False
    length: int = 2
    """Characters on one line."""


@dataclass
class _Token:
    text: str
    spaced: bool

    @property
    def length(self) -> int:
        return len(self.text) + self.spaced


_Item = _Group | _Token


def laid_out(statement: str) -> str:
    """The same statement, of which each line has about `WIDTH` characters. Texts and quoted names stay as they are."""
    return "\n".join(_Lines().of(_parsed(statement)))


def _parsed(statement: str) -> _Group:
    whole = _Group()
    open_groups = [whole]
    spaced = False
    for word in _TOKEN.findall(statement):
        group = open_groups[-1]
        if word.isspace():
            spaced = bool(group.items)
            continue
        if word == "(":
            inner = _Group(spaced=spaced)
            group.items.append(inner)
            open_groups.append(inner)
        elif word == ")" and len(open_groups) > 1:
            group.closed = True
            _close(open_groups)
        else:
            group.items.append(_Token(word, spaced))
            group.length += len(word) + spaced
        spaced = False
    while len(open_groups) > 1:
        _close(open_groups)
    return whole


def _close(open_groups: list[_Group]) -> None:
    inner = open_groups.pop()
    open_groups[-1].length += inner.length + inner.spaced


class _Lines:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""

    def of(self, whole: _Group) -> list[str]:
        self._broken(whole, 0)
        self._end()
        return self._lines

    def _end(self, indent: int = 0) -> None:
        if self._line.strip():
            self._lines.append(self._line.rstrip())
        self._line = INDENT * indent

    def _put(self, text: str, spaced: bool) -> None:
        self._line += (" " if spaced and self._line.strip() else "") + text

    def _broken(self, group: _Group, indent: int) -> None:
        """A group's content, each clause on a line of its own, and each WHEN one step in from its CASE."""
        cases = 0
        before = ""
        for at, item in enumerate(group.items):
            if isinstance(item, _Group):
                self._group(item, indent + cases)
                before = ")"
                continue
            word = item.text.lower()
            follows = group.items[at + 1] if at + 1 < len(group.items) else None
            if word == "end":
                cases = max(cases - 1, 0)
                self._end(indent + cases)
            elif self._begins(word, before, follows):
                self._end(indent + cases)
            self._put(item.text, item.spaced)
            cases += word == "case"
            if item.text.endswith(","):
                self._end(indent + cases)
            before = word

    @staticmethod
    def _begins(word: str, before: str, follows: _Item | None) -> bool:
        if word in _JOINS:
            called = isinstance(follows, _Group) and not follows.spaced
            return before not in _JOINS and not called
        return word in _CLAUSES or word in _PARTS

    def _group(self, group: _Group, indent: int) -> None:
        if len(self._line) + group.length <= WIDTH or indent >= DEEPEST:
            self._put(_flat(group), group.spaced)
            return
        self._put("(", group.spaced)
        self._end(indent + 1)
        self._broken(group, indent + 1)
        if group.closed:
            self._end(indent)
            self._put(")", False)


def _flat(group: _Group) -> str:
    pieces: list[str] = []
    waiting: list[_Item | str] = [group]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            pieces.append(item)
        elif isinstance(item, _Token):
            pieces.append((" " if item.spaced else "") + item.text)
        else:
            pieces.append(" (" if item.spaced and item is not group else "(")
            waiting.append(")" if item.closed else "")
            waiting.extend(reversed(item.items))
    return "".join(pieces)
