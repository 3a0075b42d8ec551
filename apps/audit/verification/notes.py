"""The checkpoints of one log as the store has them: whole, signed, linked, and never two of one size."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from ..anchors import Anchor, AnchorStore
from ..keys import is_signed_by
from ..sealing.notes import note_hash
from ..tlog import Checkpoint, Malformed, Verifier, parse_checkpoint
from .findings import Findings

READERS = 8  # requests to the store at once


@dataclass(frozen=True)
class Note:
    """A checkpoint under its key, and the hash of its whole note."""

    key: str
    checkpoint: Checkpoint
    sha256: str

    @property
    def size(self) -> int:
        return self.checkpoint.size

    @property
    def time(self) -> str:
        return self.checkpoint.extension("time") or ""

    @property
    def previous_sha256(self) -> str:
        """The hash of the note before, "" for the first."""
        return (self.checkpoint.extension("previous") or " ").split(" ")[-1]

    def __str__(self) -> str:
        return f"the checkpoint of size {self.size}, sealed {self.time}"


class Log:
    """Reads and checks the notes below a prefix. `whose` is the tenant's id, or "" for the platform."""

    def __init__(
        self, store: AnchorStore, whose: uuid.UUID | str, trusted: Sequence[Verifier], found: Findings
    ) -> None:
        self._store, self._whose, self._trusted, self._found = store, whose, trusted, found

    def read(self, prefix: str) -> list[Note]:
        """Every checkpoint below `prefix`, by size; what is wrong with one is named, and it is left out."""
        notes = []
        versions = groupby(self._store.versions(prefix), key=lambda anchor: anchor.key)
        with ThreadPoolExecutor(READERS, thread_name_prefix="audit-notes") as pool:
            listed = ((key, list(of)) for key, of in versions)
            for key, bodies in _ahead(pool, listed, self._bodies):
                if (note := self._note(key, bodies)) is not None:
                    notes.append(note)
        return notes

    def check(self, notes: Sequence[Note], after: Note | None = None) -> None:
        """Their order, links and signatures; `after` is a checkpoint that is trusted already."""
        previous = after
        for note in notes:
            self._check_link(note, previous)
            previous = note
        self.check_signatures(notes)

    def _bodies(self, versions: list[Anchor]) -> list[bytes | None]:
        """What the versions of one key hold, oldest first; None for a delete marker."""
        return [
            None if version.deleted else self._store.read(version.key, version.version_id)
            for version in reversed(versions)
        ]

    def _note(self, key: str, bodies: list[bytes | None]) -> Note | None:
        if None in bodies:
            self._add("checkpoint-hidden", key, "was hidden in the store by a delete marker")
        whole = [body for body in bodies if body is not None]
        if not whole:
            return None
        if len(set(whole)) > 1:
            what = f"has {len(set(whole))} different contents in the store: it was replaced, or the history forked"
            self._add("checkpoint-replaced", key, what)
        # The first is what the sealer wrote: a lock keeps it from being removed.
        try:
            checkpoint = parse_checkpoint(whole[0])
        except Malformed as error:
            self._add("checkpoint-malformed", key, str(error))
            return None
        note = Note(key, checkpoint, note_hash(whole[0]))
        if not key.endswith(f"/{note.size:020d}") or not checkpoint.origin.endswith(self._origin):
            self._add("checkpoint-misplaced", key, f"is one of size {note.size} of {checkpoint.origin}")
            return None
        return note

    @property
    def _origin(self) -> str:
        return f"/tenants/{self._whose}" if self._whose else "/platform"

    def _check_link(self, note: Note, previous: Note | None) -> None:
        linked = note.checkpoint.extension("previous")
        wanted = f"{previous.size} {previous.sha256}" if previous else None
        if linked == wanted:
            return
        if linked is None:
            what = f"begins a history of its own, although {previous} is there"
        elif previous is None:
            what = f"follows one of size {linked.split()[0]}, which is missing from the store"
        elif linked.split()[0] == str(previous.size):
            what = f"follows another checkpoint of size {previous.size} than the one in the store, which was changed"
        else:
            what = (
                f"follows one of size {linked.split()[0]}; in the store it comes after {previous}:"
                " a checkpoint is missing or was slipped in"
            )
        self._add("checkpoint-link", str(note), what)

    def check_signatures(self, notes: Sequence[Note]) -> None:
        """Newest first: a checkpoint whose hash a vouched one names needs no trusted signature of its own."""
        vouched = ""
        for note in reversed(notes):
            if note.sha256 == vouched or any(is_signed_by(note.checkpoint, key) for key in self._trusted):
                vouched = note.previous_sha256
                continue
            vouched = ""
            what = (
                "has no signature by a trusted key"
                if self._trusted
                else "can't be trusted: no public key is given"
            )
            self._add("signature", str(note), what)

    def _add(self, code: str, where: str, what: str) -> None:
        self._found.add(code, self._whose, where, what)


def _ahead(
    pool: ThreadPoolExecutor,
    items: Iterable[tuple[str, list[Anchor]]],
    read: Callable[[list[Anchor]], list[bytes | None]],
) -> Iterator[tuple[str, list[bytes | None]]]:
    """Read a few keys at once, in order, without ever holding more than those."""
    waiting = []
    for key, versions in items:
        waiting.append((key, pool.submit(read, versions)))
        if len(waiting) >= 4 * READERS:
            first, future = waiting.pop(0)
            yield first, future.result()
    for key, future in waiting:
        yield key, future.result()
