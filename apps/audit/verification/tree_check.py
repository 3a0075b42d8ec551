"""The tree of a trail against the checkpoints, as its leaves come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..tree import RightEdge
from .findings import Findings
from .notes import Note


@dataclass(frozen=True)
class Doubt:
    """A row whose leaf is not the one at its place: either was changed, and the next checkpoint tells which."""

    where: str
    audit_id: Any
    leaf: bytes


class TreeCheck:
    """Grows the tree from the leaves at their places, and compares its root with every checkpoint's.

    Where a row's leaf differs from the one at its place, a second tree is grown from the row's; whichever has the
    checkpoint's root is the true one, and the verification goes on from it.
    """

    def __init__(self, tenant_id: Any, notes: Sequence[Note], start: RightEdge, found: Findings) -> None:
        self._tenant_id, self._found = tenant_id, found
        self._notes = [note for note in notes if note.size > start.size]
        self._edge, self._other = start, None
        self._doubts: list[Doubt] = []
        self._from = start.size
        self._broken = False

    _other: RightEdge | None

    @property
    def size(self) -> int:
        return self._edge.size

    def extend(self, leaves: Sequence[bytes], doubts: dict[int, Doubt]) -> None:
        """Append the leaves of the next places; `doubts` by their offset in `leaves`."""
        begin, at = self._edge.size, 0
        while self._notes and self._notes[0].size <= begin + len(leaves):
            note = self._notes.pop(0)
            self._grow(leaves, doubts, at, note.size - begin)
            at = note.size - begin
            self._compare(note)
        self._grow(leaves, doubts, at, len(leaves))

    def finish(self) -> None:
        """No checkpoint comes any more: rows in doubt are named as such."""
        self._settle(rows_changed=True)

    def _grow(self, leaves: Sequence[bytes], doubts: dict[int, Doubt], start: int, end: int) -> None:
        part = leaves[start:end]
        here = {at - start: doubt for at, doubt in doubts.items() if start <= at < end}
        if here and self._other is None:
            self._other = RightEdge(self._edge.size, list(self._edge.peaks))
        if self._other is not None:
            self._other.extend([here[at].leaf if at in here else leaf for at, leaf in enumerate(part)])
        self._doubts += here.values()
        self._edge.extend(part)

    def _compare(self, note: Note) -> None:
        if self._broken:
            return
        root = note.checkpoint.root
        if self._edge.root == root:
            self._settle(rows_changed=True)
        elif self._other is not None and self._other.root == root:
            self._edge = self._other
            self._settle(rows_changed=False)
        else:
            self._broken = True
            self._settle(rows_changed=True)
            self._found.add(
                "tree",
                self._tenant_id,
                f"places {self._from} to {note.size - 1}",
                f"give another root than {note} has: rows among them were rewritten together with their hashes,"
                " exchanged or left out. What was sealed after it rests on them and can't be checked",
            )
        self._from = note.size

    def _settle(self, *, rows_changed: bool) -> None:
        for doubt in self._doubts:
            if rows_changed:
                what = "was rewritten together with its hash: its leaf is not the one that was sealed"
                self._found.add("row-rewritten", self._tenant_id, doubt.where, what, doubt.audit_id)
            else:
                what = "the leaf at its place in audit_leaves was changed; the row is as it was sealed"
                self._found.add("place-changed", self._tenant_id, doubt.where, what, doubt.audit_id)
        self._doubts, self._other = [], None
