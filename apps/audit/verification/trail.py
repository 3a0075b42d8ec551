"""One tenant's trail: every row, every place, the tree at every checkpoint that the store has, and the rest."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from ..tree import RightEdge
from .database import Batch, Reader
from .findings import Findings, TrailFindings
from .notes import Note
from .rows import check_row, row_name, runs
from .stream import RowStream
from .tree_check import Doubt, TreeCheck

Progress = Callable[[int, int], None]  # (rows done, rows in all)

_FAR = (datetime(9999, 1, 1, tzinfo=UTC), uuid.UUID(int=(1 << 128) - 1))


def nobody_watches(done: int, total: int) -> None:
    """The progress of a verification that nobody looks at."""


class Trail:
    """Verifies the rows of one tenant against its checkpoints, from the tree `start`, which is trusted."""

    def __init__(
        self, reader: Reader, notes: Sequence[Note], found: Findings, progress: Progress, start: RightEdge
    ) -> None:
        self._reader, self._found, self._progress = reader, found, progress
        self._tenant_id = reader.tenant_id
        self._start = start.size
        self._last = notes[-1] if notes else None
        self._tree = TreeCheck(self._tenant_id, notes, start, found)
        self._missing: list[int] = []
        self._by_row = False
        self._told = TrailFindings(str(self._tenant_id), checkpoints=len(notes))

    def verify(self) -> TrailFindings:
        places = self._reader.places(self._last.size if self._last else 0)
        # The rows are of a later moment than their places, hence all there.
        with (
            self._reader.batches(self._start, places) as batches,
            self._reader.stream(self._start) as stream,
        ):
            for batch in batches:
                self._verify_batch(batch, stream)
                self._told.rows += batch.end - batch.first
                self._progress(self._told.rows, places - self._start)
            # All was streamed, and each row had its place: none is unsealed, and they need not be counted.
            all_sealed = self._start == 0 and not self._by_row and stream.is_at_its_end()
        self._tree.finish()
        self._told.sealed = places
        self._tell_missing()
        self._verify_end(places)
        if not all_sealed:
            self._verify_unsealed()
        return self._told

    def _verify_batch(self, batch: Batch, stream: RowStream) -> None:
        leaves = stream.leaves(batch.ids) if batch.whole else None
        if leaves is not None and b"".join(leaves) == batch.sealed:
            self._tree.extend(leaves, {})
        else:
            self._verify_rows(batch)

    def _verify_rows(self, batch: Batch) -> None:
        """Something is wrong in this batch: name it row by row."""
        self._by_row = True
        leaves: list[bytes] = []
        doubts: dict[int, Doubt] = {}
        rows: dict[int, Any] = {seq: rest for seq, *rest in self._reader.rows(batch.first, batch.end)}
        for seq in range(batch.first, batch.end):
            audit_id, sealed, row = rows.get(seq, (None, bytes(32), (None,)))
            leaves.append(sealed)
            if row[0] != self._tenant_id:  # deleted, or given to another tenant
                self._missing.append(seq)
                continue
            where = row_name(audit_id, seq)
            check_row(row, where, self._found)
            if (leaf := bytes(row[-1] or b"")) != sealed:
                doubts[seq - batch.first] = Doubt(where, audit_id, leaf)
        self._tree.extend(leaves, doubts)

    def _tell_missing(self) -> None:
        for first, last in runs(self._missing):
            where = f"place {first}" if first == last else f"places {first} to {last}"
            what = (
                "was deleted: a sealed row is missing"
                if first == last
                else (f"were deleted: {last - first + 1} sealed rows are missing")
            )
            self._found.add("row-deleted", self._tenant_id, where, what)

    def _verify_end(self, places: int) -> None:
        """Is the trail as long as the store knows it to have been, and does the database know those checkpoints?"""
        if self._last is None:
            return
        self._told.last_size, self._told.last_sealed_at = self._last.size, self._last.time
        if places >= self._last.size:
            return
        known = self._reader.newest_checkpoint()
        lost = f"{self._last.size - places} rows that were sealed are gone"
        if places == 0 and known == 0:
            self._found.add(
                "trail-missing",
                self._tenant_id,
                "the whole trail",
                f"was removed: the store has {self._last}, the database has no row of it",
            )
        elif known < self._last.size:
            self._found.add(
                "trail-behind",
                self._tenant_id,
                f"places {places} to {self._last.size - 1}",
                f"{lost}, and the database does not know {self._last}: an older backup was restored, or its tail"
                " was cut together with the checkpoints",
            )
        else:
            self._found.add(
                "tail-cut",
                self._tenant_id,
                f"places {places} to {self._last.size - 1}",
                f"the tail was cut: {lost}; the newest is {self._last}",
            )

    def _verify_unsealed(self) -> None:
        """Rows in no tree yet: each by itself, and how many and how old they are."""
        rows, places = self._reader.counts()
        expected = rows - (places - len(self._missing))
        for behind, row in self._reader.unsealed(expected, _FAR):
            _, created_at, audit_id, *_ = row
            self._told.rows += 1
            self._told.unsealed += 1
            self._told.oldest_unsealed = created_at
            check_row(row, row_name(audit_id), self._found)
            if behind:
                what = "was put in behind the sealer's back: rows of later transactions are sealed, it is not"
                self._found.add("row-slipped-in", self._tenant_id, row_name(audit_id), what, audit_id)
            if self._told.unsealed % 1000 == 0:
                self._progress(self._told.rows, rows)
