"""The platform's log, in which the checkpoints of all tenants are sealed together."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from ..tlog import leaf_hash
from ..tree import RightEdge
from .findings import Findings, TrailFindings
from .notes import Note

ENTRY = "entry "
PURGED = "purged"


@dataclass(frozen=True)
class Entry:
    """A line of the log: `kind` is "tenant" (a checkpoint of size and root) or "purged" (after `size` rows; `root` is
    the SHA-256 of the certificate)."""

    kind: str
    tenant_id: uuid.UUID
    size: int
    root: bytes


def verify_platform(notes: Sequence[Note], found: Findings) -> dict[uuid.UUID, list[Entry]]:
    """Grow the platform's tree from the entries in its notes; the entries of each tenant, oldest first."""
    edge, broken = RightEdge(), False
    entries: dict[uuid.UUID, list[Entry]] = {}
    for note in notes:
        lines = entry_lines(note)
        edge.extend([leaf_hash(line.encode()) for line in lines])
        if not broken and (edge.size != note.size or edge.root != note.checkpoint.root):
            broken = True
            what = "its entries and those before it give another root: entries were changed, or a checkpoint is missing"
            found.add("platform-tree", "", str(note), what)
        for line in lines:
            entry = parse_entry(line)
            if entry is None:
                found.add("platform-entry", "", str(note), f"has an entry that is none: {line[:100]!r}")
            else:
                entries.setdefault(entry.tenant_id, []).append(entry)
    last = notes[-1] if notes else None
    found.platform = TrailFindings(
        "",
        sealed=last.size if last else 0,
        checkpoints=len(notes),
        last_size=last.size if last else 0,
        last_sealed_at=last.time if last else "",
    )
    return entries


def compare_with_tenant(
    tenant_id: uuid.UUID, entries: Sequence[Entry], notes: Sequence[Note], found: Findings
) -> None:
    """What the platform's log says about a tenant against the tenant's own checkpoints in the store.

    `entries` must have been read before `notes`: a sealer may be at work.
    """
    by_size = {note.size: note for note in notes}
    for entry in entries:
        note = by_size.get(entry.size)
        if note is None:
            what = "is in the platform's log and missing from the tenant's own checkpoints in the store"
            found.add("checkpoint-missing", tenant_id, f"the checkpoint of size {entry.size}", what)
        elif note.checkpoint.root != entry.root:
            what = "has another root than the platform's log says: there are two histories"
            found.add("fork", tenant_id, str(note), what)


def check_taken_up(
    tenant_id: uuid.UUID, entries: Sequence[Entry], notes: Sequence[Note], found: Findings
) -> None:
    """Every checkpoint is in the platform's log, but for the newest, which may be on their way."""
    sealed = {entry.size for entry in entries}
    for note in notes:
        if note.size < max(sealed, default=0) and note.size not in sealed:
            found.add("platform-missing", tenant_id, str(note), "was never taken up into the platform's log")


def check_purges(
    entries: Mapping[uuid.UUID, Sequence[Entry]],
    certified: Sequence[tuple[uuid.UUID, str, str]],
    there: Set[uuid.UUID],
    found: Findings,
) -> set[uuid.UUID]:
    """The tenants that are gone by right: of which a certificate tells, and the platform's log if it has got so far.

    Codes certificate-edited, certificate-missing, purged-restored (a purged tenant is there again, as after an older
    backup).
    """
    known: dict[uuid.UUID, set[str]] = {}
    for tenant_id, text, sha256 in certified:
        known.setdefault(tenant_id, set()).add(sha256)
        if hashlib.sha256(text.encode()).hexdigest() != sha256:
            found.add(
                "certificate-edited", tenant_id, "the certificate of its purge", "is not what was hashed"
            )
    for tenant_id, lines in entries.items():
        for entry in (line for line in lines if line.kind == PURGED):
            if entry.root.hex() not in known.setdefault(tenant_id, set()):
                what = f"that the platform's log tells of (SHA-256 {entry.root.hex()}) is not there"
                found.add("certificate-missing", tenant_id, "the certificate of its purge", what)
    for tenant_id in sorted(known):
        if tenant_id in there:
            found.add(
                "purged-restored",
                tenant_id,
                "the tenant",
                "was purged, says a certificate, and is there again",
            )
    return set(known) - there


def entry_lines(note: Note) -> list[str]:
    return [line[len(ENTRY) :] for line in note.checkpoint.extensions if line.startswith(ENTRY)]


def parse_entry(line: str) -> Entry | None:
    words = line.split(" ")
    try:
        kind, tenant, size, root = words
        return Entry(kind, uuid.UUID(tenant), int(size), base64.b64decode(root, validate=True))
    except (ValueError, binascii.Error):
        return None
