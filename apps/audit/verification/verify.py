"""Verifying trails: what the database has against what the store has, by public keys that the caller trusts."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..anchors import PLATFORM as PLATFORM_PREFIX
from ..anchors import AnchorStore, anchor_store, checkpoint_prefix, platform_key
from ..tlog import Verifier
from ..tree import RightEdge
from .database import Reader, anchored_platform, purge_certificates, tenant_ids
from .findings import Findings
from .notes import Log, Note
from .platform import (
    Entry,
    check_purges,
    check_taken_up,
    compare_with_tenant,
    entry_lines,
    parse_entry,
    verify_platform,
)
from .start import trusted_start
from .trail import Progress, Trail, nobody_watches

# A room above checks what its own rows and objects say against the trail: (tenant's id, alias, findings).
Check = Callable[[uuid.UUID, str, Findings], None]

_checks: dict[str, Check] = {}


def register_check(name: str, check: Check) -> None:
    """Called by a room's AppConfig.ready(): `check` runs for each tenant after its rows are verified."""
    _checks[name] = check


def verify_tenant(
    tenant_id: uuid.UUID,
    *,
    trusted: Sequence[Verifier],
    using: str = "default",
    start: bytes | None = None,
    progress: Progress = nobody_watches,
    beyond: bool = True,
) -> Findings:
    """Verify one tenant's trail and its place in the platform's log. Not inside a transaction. Unless `beyond`, what
    the rooms above have to show for it (evidence, history, rows that are told of) is not looked at.

    With `start`, a signed checkpoint of this tenant that the caller has kept, only what was sealed after it is
    read. `using` is the alias of the role: `default` under the tenant's context, or `owner`.
    """
    found, store = Findings(keys=[str(key) for key in trusted]), anchor_store()
    entries = _newest_entries(store, Reader(tenant_id, using), trusted, found)
    _Verification(store, trusted, using, progress, found, beyond).verify(tenant_id, entries, start=start)
    return found


def verify_all(
    *, trusted: Sequence[Verifier], using: str, progress: Progress = nobody_watches, beyond: bool = True
) -> Findings:
    """Verify every tenant that the database or the store knows, and the platform's log as a whole."""
    found, store = Findings(keys=[str(key) for key in trusted]), anchor_store()
    known = anchored_platform(using)
    log = Log(store, "", trusted, found)
    notes = log.read(PLATFORM_PREFIX)
    log.check(notes)
    _compare_with_database("", known, notes, found)
    entries = verify_platform(notes, found)
    verification = _Verification(store, trusted, using, progress, found, beyond)
    there, certified = set(tenant_ids(using)), purge_certificates(using)
    purged = check_purges(entries, certified, there, found)
    for tenant_id in sorted({*there, *entries} - purged):
        verification.verify(tenant_id, entries.get(tenant_id, []), whole_log=True)
    return found


@dataclass(frozen=True)
class _Verification:
    store: AnchorStore
    trusted: Sequence[Verifier]
    using: str
    progress: Progress
    found: Findings
    beyond: bool

    def verify(
        self,
        tenant_id: uuid.UUID,
        entries: Sequence[Entry],
        *,
        start: bytes | None = None,
        whole_log: bool = False,
    ) -> None:
        reader, found = Reader(tenant_id, self.using), self.found
        edge, first = trusted_start(reader, start, self.trusted) if start else (RightEdge(), None)
        # In this order: what a sealer adds meanwhile is then in the later one.
        known = reader.anchored(edge.size)
        log = Log(self.store, tenant_id, self.trusted, found)
        notes = [note for note in log.read(checkpoint_prefix(tenant_id)) if note.size > edge.size]
        log.check(notes, first)
        compare_with_tenant(tenant_id, [e for e in entries if e.size > edge.size], notes, found)
        if whole_log:
            check_taken_up(tenant_id, entries, notes, found)
        _compare_with_database(tenant_id, known, notes, found)
        found.trails.append(Trail(reader, notes, found, self.progress, edge).verify())
        for check in _checks.values() if self.beyond else ():
            check(tenant_id, self.using, found)


def _compare_with_database(
    whose: uuid.UUID | str, known: Sequence[tuple[int, str]], notes: Sequence[Note], found: Findings
) -> None:
    """Every checkpoint that the database counts as anchored must be in the store, and be the same."""
    in_store = {note.size: note for note in notes}
    for size, sha256 in known:
        if size not in in_store:
            what = "is anchored, says the database, and missing from the store"
            found.add("checkpoint-missing", whose, f"the checkpoint of size {size}", what)
        elif in_store[size].sha256 != sha256:
            what = "is another in the store than the database recorded when it was anchored"
            found.add("checkpoint-differs", whose, str(in_store[size]), what)


def _newest_entries(
    store: AnchorStore, reader: Reader, trusted: Sequence[Verifier], found: Findings
) -> list[Entry]:
    """The tenant's entries in the platform's checkpoint that took up its newest: enough to see a fork by."""
    size = reader.newest_platform_size()
    if size is None:
        return []
    log = Log(store, "", trusted, found)
    notes = log.read(platform_key(size))
    # The newest may be written down and on its way into the store.
    if not notes and store.keys_after(PLATFORM_PREFIX, platform_key(size), 1):
        what = "is missing from the store, although later ones are there"
        found.add("checkpoint-missing", "", f"the platform's checkpoint of size {size}", what)
    log.check_signatures(notes)
    parsed = [parse_entry(line) for note in notes for line in entry_lines(note)]
    return [entry for entry in parsed if entry is not None and entry.tenant_id == reader.tenant_id]
