"""A matcher for regular expressions in time that is bounded by pattern × text, for the reference evaluator.

Python's `re` backtracks: a pattern such as `(a+)+$` takes it for ever. This one keeps the set of places
where the match may stand, as PostgreSQL's does.
"""

from __future__ import annotations

from functools import lru_cache

from apps.rules.custodian.charsets import category, contains
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


@lru_cache(maxsize=64)
def _node(pattern: str, ignore_case: bool) -> Node:
    return parsed(pattern, ignore_case=ignore_case)


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """`re.match(pattern, text) is not None`. Raises `PatternRefused`."""
    return node_matches(_node(pattern, ignore_case), text)


def node_matches(node: Node, text: str) -> bool:
    """Whether the node matches at the start of the text."""
    return bool(_Matcher(text).ends(node, frozenset({0})))


class _Matcher:
    def __init__(self, text: str) -> None:
        self._text = text
        self._ahead: dict[tuple[int, int], bool] = {}

    def ends(self, node: Node, starts: frozenset[int]) -> frozenset[int]:
        """Where a match of the node may end that begins at one of the starts."""
        match node:
            case Chars(ranges):
                size, text = len(self._text), self._text
                return frozenset(at + 1 for at in starts if at < size and contains(ranges, text[at]))
            case Sequence(items):
                for item in items:
                    starts = self.ends(item, starts) if starts else starts
                return starts
            case Either(branches):
                return frozenset().union(*(self.ends(branch, starts) for branch in branches))
            case Repeat():
                return self._repeated(node, starts)
            case _:
                return frozenset(at for at in starts if self._here(node, at))

    def _repeated(self, node: Repeat, starts: frozenset[int]) -> frozenset[int]:
        for _ in range(node.least):
            starts = self.ends(node.item, starts)
        found, fresh, turns = starts, starts, node.least
        while fresh and (node.most is None or turns < node.most):
            fresh = self.ends(node.item, fresh) - found
            found |= fresh
            turns += 1
        return found

    def _here(self, node: Node, at: int) -> bool:
        text, size = self._text, len(self._text)
        match node:
            case Start():
                return at == 0
            case End(newline):
                return at == size or (newline and at == size - 1 and text[at] == "\n")
            case Boundary(here):
                before = at > 0 and contains(category("word"), text[at - 1])
                after = at < size and contains(category("word"), text[at])
                return (before is not after) is here
            case Ahead(item, wanted):
                key = (id(item), at)
                if key not in self._ahead:
                    self._ahead[key] = bool(self.ends(item, frozenset({at})))
                return self._ahead[key] is wanted
        raise TypeError(node)
