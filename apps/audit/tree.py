"""Growing a tenant's tree, and the paths that prove something about it.

Only the right edge is needed to grow it: the roots of its complete subtrees. Beside the leaves we keep the
roots of complete subtrees of 256, 65,536, … leaves; a path then asks for a few hundred stored hashes, however
large the tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .tlog import fold, node_hash

TILE = 8  # levels between two kept ones: a kept node stands for 256 nodes below it

# (level, first index, number) → that many consecutive node hashes of a kept level; level 0 are the leaves.
Nodes = Callable[[int, int, int], Sequence[bytes]]


@dataclass
class RightEdge:
    """The complete subtrees of a tree of `size` leaves, largest (leftmost) first: all that growing it needs."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.peaks) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves has not {len(self.peaks)} complete subtrees")

    @property
    def root(self) -> bytes:
        return fold(self.peaks)

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Append leaf hashes; returns the (level, index, hash) that are complete now and are to be kept."""
        kept: list[tuple[int, int, bytes]] = []
        at = 0
        while at < len(leaves):
            # The largest complete subtree that may begin here: aligned, and wholly within what is appended.
            level = min(_zeros(self.size), (len(leaves) - at).bit_length() - 1)
            node = _subtree(leaves[at : at + (1 << level)], level, self.size, kept)
            self._push(node, level, kept)
            at += 1 << level
        return kept

    def _push(self, node: bytes, level: int, kept: list[tuple[int, int, bytes]]) -> None:
        first = self.size
        self.size += 1 << level
        while first >> level & 1:
            node = node_hash(self.peaks.pop(), node)
            level += 1
            if level % TILE == 0:
                kept.append((level, first >> level, node))
        self.peaks.append(node)


def _zeros(size: int) -> int:
    """Of how many levels a complete subtree may begin after `size` leaves."""
    return (size & -size).bit_length() - 1 if size else 64


def _subtree(leaves: Sequence[bytes], level: int, first: int, kept: list[tuple[int, int, bytes]]) -> bytes:
    """The root of 2**level leaves, level by level: a third of the time of pushing them one by one."""
    nodes: Sequence[bytes] = leaves
    for height in range(1, level + 1):
        pairs = iter(nodes)
        sha256 = hashlib.sha256
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        if height % TILE == 0:
            kept += [(height, (first >> height) + at, node) for at, node in enumerate(nodes)]
    return nodes[0]


def inclusion_path(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves (RFC 6962, 2.1.1), from the leaf upwards."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    return _path(nodes, index, 0, size)


def range_path(nodes: Nodes, first: int, end: int, size: int) -> list[bytes]:
    """The roots of what lies outside of leaves `first` to `end` (exclusive) of a tree of `size`, left to right: with
    these leaves `tlog.root_around` gives the tree's root."""
    if not 0 <= first < end <= size:
        raise ValueError(f"a tree of {size} leaves has no leaves {first} to {end}")
    return list(_around(nodes, first, end, 0, size))


def _around(nodes: Nodes, first: int, end: int, start: int, stop: int) -> Iterator[bytes]:
    if stop <= first or end <= start:
        yield range_root(nodes, start, stop)
    elif start < first or end < stop:
        middle = start + _split(stop - start)
        yield from _around(nodes, first, end, start, middle)
        yield from _around(nodes, first, end, middle, stop)


def consistency_path(nodes: Nodes, first: int, second: int) -> list[bytes]:
    """The proof that the tree of `second` leaves begins with that of `first` (RFC 6962, 2.1.2)."""
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {second} leaves has no beginning of {first}")
    if first in (0, second):
        return []
    return _consistency(nodes, first, 0, second, True)


def _path(nodes: Nodes, index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(nodes, index, start, middle), range_root(nodes, middle, end)]
    return [*_path(nodes, index, middle, end), range_root(nodes, start, middle)]


def _consistency(nodes: Nodes, first: int, start: int, end: int, whole: bool) -> list[bytes]:
    if first == end:
        return [] if whole else [range_root(nodes, start, end)]
    middle = start + _split(end - start)
    if first <= middle:
        return [*_consistency(nodes, first, start, middle, whole), range_root(nodes, middle, end)]
    return [*_consistency(nodes, first, middle, end, False), range_root(nodes, start, middle)]


def _split(number: int) -> int:
    """The largest power of two smaller than `number`."""
    return 1 << (number - 1).bit_length() - 1


def peaks_of(nodes: Nodes, size: int) -> list[bytes]:
    """The right edge of the tree of `size` leaves. LookupError where hashes are missing."""
    return [_complete_root(nodes, level, index) for level, index in _complete(0, size)]


def range_root(nodes: Nodes, start: int, end: int) -> bytes:
    """The root over leaves `start` to `end` (exclusive), `start` as a tree's splits give it."""
    return fold([_complete_root(nodes, level, index) for level, index in _complete(start, end)])


def _complete_root(nodes: Nodes, level: int, index: int) -> bytes:
    kept = level - level % TILE
    below = 1 << level - kept
    found = nodes(kept, index * below, below)
    if len(found) != below:
        raise LookupError(f"of level {kept} only {len(found)} of {below} nodes from {index * below} are kept")
    return _subtree(found, level - kept, 0, [])


def _complete(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up a range, left to right."""
    while start < end:
        level = min(_zeros(start), (end - start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level
