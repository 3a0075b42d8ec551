"""Putting a checkpoint into the store, without ever signing a second history there."""

from __future__ import annotations

from datetime import datetime

from apps.core.errors import GovernanceError

from ..anchors import anchor_store
from ..options import options
from .database import fetch


class ForkRefused(GovernanceError):
    """The store holds a checkpoint that this database does not know: going on would sign a second history."""

    code = "audit-fork-refused"


def anchor(prefix: str, key: str, note: bytes, whose: str) -> str:
    """Write `note` under `key` and return the version's id; the one that is there where it has been written.

    Raises ForkRefused where the store is further than this database, or holds other bytes of the same size;
    errors of the store pass through. Not inside a transaction.
    """
    store = anchor_store()
    newer = store.keys_after(prefix, _before(key), 2)
    if newer and newer != [key]:
        raise _is_further(whose, newer[-1])
    if not newer:
        return store.put(key, note, _now() + options().retention)
    for version in store.versions(key):
        if not version.deleted and store.read(key, version.version_id) == note:
            return version.version_id
    raise ForkRefused(
        f"The trail of {whose} is not sealed: the store holds another checkpoint of the same size ({key})."
    )


def refuse_newer(prefix: str, last: str, whose: str) -> None:
    """Raise ForkRefused where the store holds a checkpoint after the key `last`, before a next one is signed."""
    if newer := anchor_store().keys_after(prefix, last, 1):
        raise _is_further(whose, newer[0])


def _is_further(whose: str, key: str) -> ForkRefused:
    return ForkRefused(
        f"The trail of {whose} is not sealed: the store holds the checkpoint {key}, which this database does not"
        " know. An older backup was restored, or another database seals into the same bucket."
    )


def _before(key: str) -> str:
    """The key of one leaf less, which need not be there."""
    prefix, _, digits = key.rpartition("/")
    return f"{prefix}/{int(digits) - 1:0{len(digits)}}"


def _now() -> datetime:
    ((now,),) = fetch("SELECT clock_timestamp()")
    moment: datetime = now
    return moment
