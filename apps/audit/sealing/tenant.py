"""One tenant's trail: decided rows into the tree, its head into a pending checkpoint, that into the store."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction

from .. import anchors
from ..keys import Signer
from ..tree import RightEdge
from .anchoring import ForkRefused, anchor, refuse_newer
from .database import ALIAS, cut_peaks, execute, execute_many, fetch
from .notes import Previous, tenant_note

BATCH = 20_000
NOBODY = uuid.UUID(int=0)
_LAST = uuid.UUID(int=(1 << 128) - 1)

READ_CHAIN = """
SELECT size, peaks, read_xid::text, read_id, read_xid >= pg_snapshot_xmax(pg_current_snapshot()) AS foreign_cluster
FROM audit_chains WHERE tenant_id = %s FOR UPDATE
"""
# One statement, hence one snapshot: what it takes is decided and complete up to its last row. Whether a row has a
# place already is asked by a subquery that can't be turned into a join: without statistics (a large backlog that is
# sealed for the first time) the planner would take one of nested loops over the whole of both tables.
TAKE = """
WITH now AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin, pg_snapshot_xmax(pg_current_snapshot()) AS xmax
), waiting AS MATERIALIZED (
    SELECT a.id, a.leaf, a.xid FROM now, audits a
    WHERE a.tenant_id = %(tenant)s AND (a.xid, a.id) > (%(xid)s::xid8, %(id)s)
      AND (a.xid < now.xmin OR a.xid >= now.xmax)
      AND (SELECT l.seq FROM audit_leaves l WHERE l.tenant_id = a.tenant_id AND l.audit_id = a.id LIMIT 1) IS NULL
    ORDER BY a.xid, a.id LIMIT %(batch)s
), fresh AS MATERIALIZED (
    SELECT id, leaf, xid, %(size)s + row_number() OVER (ORDER BY xid, id) - 1 AS seq FROM waiting
), put AS (
    INSERT INTO audit_leaves (tenant_id, seq, audit_id, leaf) SELECT %(tenant)s, seq, id, leaf FROM fresh
)
SELECT f.leaf, f.xid::text, f.id, now.xmin::text FROM fresh f, now ORDER BY f.seq
"""
PENDING = """
SELECT size, note, object_key FROM audit_checkpoints WHERE tenant_id = %s AND anchored_at IS NULL ORDER BY size
"""

LAST_KEY = "SELECT object_key FROM audit_checkpoints WHERE tenant_id = %s ORDER BY size DESC LIMIT 1"


def seal_tenant(tenant_id: uuid.UUID, signers: Sequence[Signer]) -> tuple[int, int]:
    """Seal what is decided now, batch by batch: (leaves, checkpoints). Raises ForkRefused, errors of the store."""
    leaves = checkpoints = 0
    anchor_pending(tenant_id)
    last = fetch(LAST_KEY, [tenant_id])
    refuse_newer(anchors.checkpoint_prefix(tenant_id), last[0][0] if last else "", f"tenant {tenant_id}")
    while taken := take(tenant_id, signers):
        leaves, checkpoints = leaves + taken, checkpoints + 1
        anchor_pending(tenant_id)
    return leaves, checkpoints


def anchor_pending(tenant_id: uuid.UUID) -> None:
    """Put what an earlier step wrote down into the store, and only then let it count."""
    for size, note, key in fetch(PENDING, [tenant_id]):
        prefix = anchors.checkpoint_prefix(tenant_id)
        try:
            version = anchor(prefix, key, str(note).encode(), f"tenant {tenant_id}")
        except ForkRefused:
            if (size, note, key) in fetch(PENDING, [tenant_id]):
                raise
            continue  # another sealer has anchored it, and the next one after it
        execute(
            "UPDATE audit_checkpoints SET version_id = %s, anchored_at = clock_timestamp()"
            " WHERE tenant_id = %s AND size = %s AND anchored_at IS NULL",
            [version, tenant_id, size],
        )


def take(tenant_id: uuid.UUID, signers: Sequence[Signer]) -> int:
    """Give the next batch of decided rows their places and write the checkpoint down as pending; how many rows.

    0 where there are none, or where a checkpoint is still pending: no next is made before it, so trees and
    links can't fork however many sealers run.
    """
    with transaction.atomic(using=ALIAS):
        execute(
            "INSERT INTO audit_chains (id, tenant_id) VALUES (gen_random_uuid(), %s)"
            " ON CONFLICT (tenant_id) DO NOTHING",
            [tenant_id],
        )
        ((size, peaks, read_xid, read_id, foreign),) = fetch(READ_CHAIN, [tenant_id])
        if fetch(PENDING, [tenant_id]):
            return 0
        after = ("0", NOBODY) if foreign else (read_xid, read_id)
        values = {"size": size, "tenant": tenant_id, "xid": after[0], "id": after[1], "batch": BATCH}
        rows = fetch(TAKE, values)
        if not rows:
            return 0
        edge = RightEdge(size, cut_peaks(bytes(peaks)))
        _keep_nodes(tenant_id, edge.extend([bytes(row[0]) for row in rows]))
        _, xid, last, xmin = rows[-1]
        if foreign and len(rows) < BATCH:
            xid, last = str(int(xmin) - 1), _LAST
        execute(
            "UPDATE audit_chains SET size = %s, peaks = %s, read_xid = %s::xid8, read_id = %s WHERE tenant_id = %s",
            [edge.size, b"".join(edge.peaks), xid, last, tenant_id],
        )
        _write_pending(tenant_id, edge, signers)
        return len(rows)


def _write_pending(tenant_id: uuid.UUID, edge: RightEdge, signers: Sequence[Signer]) -> None:
    before = fetch(
        "SELECT size, note FROM audit_checkpoints WHERE tenant_id = %s ORDER BY size DESC LIMIT 1",
        [tenant_id],
    )
    ((now,),) = fetch("SELECT now()")
    previous = Previous.of(before[0]) if before else None
    note = tenant_note(tenant_id, edge.size, edge.root, previous, now, signers)
    execute(
        "INSERT INTO audit_checkpoints (tenant_id, size, root, note, object_key) VALUES (%s, %s, %s, %s, %s)",
        [tenant_id, edge.size, edge.root, note, anchors.checkpoint_key(tenant_id, edge.size)],
    )


def _keep_nodes(tenant_id: uuid.UUID, nodes: Sequence[tuple[int, int, bytes]]) -> None:
    execute_many(
        "INSERT INTO audit_nodes (tenant_id, level, position, hash) VALUES (%s, %s, %s, %s)",
        [(tenant_id, *node) for node in nodes],
    )
