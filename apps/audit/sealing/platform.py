"""All tenants' checkpoints sealed together, so that a whole chain can't disappear without a trace.

A log of its own, whose entries are the tenants' checkpoints; grown, signed and anchored as a tenant's is.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction

from .. import anchors
from ..keys import Signer
from ..tlog import leaf_hash
from ..tree import RightEdge
from .anchoring import ForkRefused, anchor, refuse_newer
from .database import ALIAS, cut_peaks, execute, fetch
from .notes import Previous, checkpoint_entry, platform_note, purge_entry

BATCH = 1000  # entries in one note: some 120 kB
_LOCK = 0x6175_6469_74  # "audit": one sealer at a time writes the platform's next checkpoint down

PENDING = (
    "SELECT size, note, object_key FROM audit_platform_checkpoints WHERE anchored_at IS NULL ORDER BY size"
)
LAST = "SELECT size, peaks, note FROM audit_platform_checkpoints ORDER BY size DESC LIMIT 1"
LAST_KEY = "SELECT object_key FROM audit_platform_checkpoints ORDER BY size DESC LIMIT 1"
WAITING = """
SELECT 1 FROM audit_checkpoints WHERE platform_size IS NULL AND anchored_at IS NOT NULL
UNION ALL SELECT 1 FROM audit_purges WHERE platform_size IS NULL AND ended_at IS NOT NULL LIMIT 1
"""
ENTRIES = """
SELECT tenant_id, size, root FROM audit_checkpoints
WHERE platform_size IS NULL AND anchored_at IS NOT NULL
ORDER BY anchored_at, tenant_id, size LIMIT %s FOR UPDATE
"""

PURGES = """
SELECT id, purged_id, size, sha256 FROM audit_purges WHERE platform_size IS NULL AND ended_at IS NOT NULL
ORDER BY ended_at, id LIMIT %s FOR UPDATE
"""


def seal_platform(signers: Sequence[Signer]) -> int | None:
    """Take up what the tenants have anchored; the log's size where it grew. Raises ForkRefused, store errors."""
    grown = None
    anchor_pending()
    if fetch(WAITING):
        last = fetch(LAST_KEY)
        refuse_newer(anchors.PLATFORM, last[0][0] if last else "", "the platform")
    while (size := take(signers)) is not None:
        grown = size
        anchor_pending()
    return grown


def anchor_pending() -> None:
    for size, note, key in fetch(PENDING):
        try:
            version = anchor(anchors.PLATFORM, key, str(note).encode(), "the platform")
        except ForkRefused:
            if (size, note, key) in fetch(PENDING):
                raise
            continue  # another sealer has anchored it, and the next one after it
        execute(
            "UPDATE audit_platform_checkpoints SET version_id = %s, anchored_at = clock_timestamp()"
            " WHERE size = %s AND anchored_at IS NULL",
            [version, size],
        )


def take(signers: Sequence[Signer]) -> int | None:
    """Write the platform's next checkpoint down as pending; its size, or None where there is nothing to take up."""
    with transaction.atomic(using=ALIAS):
        fetch("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        busy = bool(fetch(PENDING))
        entries = [] if busy else fetch(ENTRIES, [BATCH])
        purges = [] if busy else fetch(PURGES, [BATCH])
        if not entries and not purges:
            return None
        last = fetch(LAST)
        edge = RightEdge(last[0][0], cut_peaks(bytes(last[0][1]))) if last else RightEdge()
        lines = [checkpoint_entry(tenant_id, size, bytes(root)) for tenant_id, size, root in entries]
        lines += [purge_entry(tenant_id, size, sha256) for _, tenant_id, size, sha256 in purges]
        edge.extend([leaf_hash(line.encode()) for line in lines])
        previous = Previous.of((last[0][0], last[0][2])) if last else None
        ((now,),) = fetch("SELECT now()")
        note = platform_note(edge.size, edge.root, previous, now, lines, signers)
        execute(
            "INSERT INTO audit_platform_checkpoints (size, root, peaks, note, object_key)"
            " VALUES (%s, %s, %s, %s, %s)",
            [edge.size, edge.root, b"".join(edge.peaks), note, anchors.platform_key(edge.size)],
        )
        _mark([(tenant_id, size) for tenant_id, size, _ in entries], edge.size)
        execute(
            "UPDATE audit_purges SET platform_size = %s WHERE id = ANY (%s)",
            [edge.size, [purge[0] for purge in purges]],
        )
        return edge.size


def _mark(taken: Sequence[tuple[uuid.UUID, int]], platform_size: int) -> None:
    execute(
        "UPDATE audit_checkpoints c SET platform_size = %s"
        " FROM unnest(%s::uuid[], %s::bigint[]) AS t (tenant_id, size)"
        " WHERE c.tenant_id = t.tenant_id AND c.size = t.size",
        [platform_size, [tenant for tenant, _ in taken], [size for _, size in taken]],
    )
