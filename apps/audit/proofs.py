"""Proofs that a row is in a tenant's tree, and that a later tree begins with an earlier one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.core.context import current_tenant_id
from apps.core.errors import GovernanceError, InvalidInput, StaleState

from .models import AuditCheckpoint
from .tlog import verify_consistency, verify_inclusion
from .tree import Nodes, consistency_path, inclusion_path

Fetch = Callable[[str, Any], list[tuple[Any, ...]]]

LEAVES = "SELECT leaf FROM audit_leaves WHERE tenant_id = %s AND seq >= %s AND seq < %s ORDER BY seq"
KEPT = """
SELECT hash FROM audit_nodes WHERE tenant_id = %s AND level = %s AND position >= %s AND position < %s ORDER BY position
"""


class ProofBroken(GovernanceError):
    """The stored tree no longer gives the checkpoint's root: `audit verify` says what is wrong with it."""

    code = "audit-proof-broken"


@dataclass(frozen=True)
class Inclusion:
    """That the row is leaf `index` (from 0) of the tree of checkpoint `size`: hashes from the leaf upwards."""

    checkpoint: AuditCheckpoint
    index: int
    leaf: bytes
    path: Sequence[bytes]


@dataclass(frozen=True)
class Consistency:
    """That the tree of `second` begins with that of `first`."""

    first: AuditCheckpoint
    second: AuditCheckpoint
    path: Sequence[bytes]


def stored_nodes(tenant_id: uuid.UUID, fetch: Fetch) -> Nodes:
    """The kept hashes of a tenant's tree."""

    def nodes(level: int, first: int, number: int) -> list[bytes]:
        if level == 0:
            rows = fetch(LEAVES, [tenant_id, first, first + number])
        else:
            rows = fetch(KEPT, [tenant_id, level, first, first + number])
        return [bytes(row[0]) for row in rows]

    return nodes


def prove_inclusion(*, audit_id: uuid.UUID, size: int | None = None) -> Inclusion:
    """For the context's tenant, in the checkpoint of `size`, or the first anchored one that has the row.

    StaleState where the row is not sealed yet, InvalidInput where it is not in that checkpoint.
    """
    tenant_id = current_tenant_id()
    place = _fetch(
        "SELECT seq, leaf FROM audit_leaves WHERE tenant_id = %s AND audit_id = %s", [tenant_id, audit_id]
    )
    if not place:
        raise StaleState("This audit row is not sealed yet: try again in a few seconds.")
    index, leaf = int(place[0][0]), bytes(place[0][1])
    anchored = AuditCheckpoint.objects.filter(anchored_at__isnull=False, size__gt=index).order_by("size")
    checkpoint = (anchored.filter(size=size) if size is not None else anchored).first()
    if checkpoint is None and size is not None:
        raise InvalidInput(f"No checkpoint of size {size} has this row.", field="size")
    if checkpoint is None:
        raise StaleState("The checkpoint with this audit row is on its way into the store.")
    try:
        path = inclusion_path(stored_nodes(tenant_id, _fetch), index, checkpoint.size)
    except LookupError as error:
        raise ProofBroken(f"The stored tree is incomplete: {error}.") from error
    if not verify_inclusion(leaf, index, checkpoint.size, path, bytes(checkpoint.root)):
        raise ProofBroken("The stored tree no longer gives the checkpoint's root.")
    return Inclusion(checkpoint, index, leaf, path)


def prove_consistency(*, first: int, second: int) -> Consistency:
    """Between two anchored checkpoints of the context's tenant. InvalidInput names one that is not there."""
    ends = {
        c.size: c for c in AuditCheckpoint.objects.filter(anchored_at__isnull=False, size__in=[first, second])
    }
    for field, size in (("first", first), ("second", second)):
        if size not in ends:
            raise InvalidInput(f"There is no anchored checkpoint of size {size}.", field=field)
    old, new = ends[min(first, second)], ends[max(first, second)]
    try:
        path = consistency_path(stored_nodes(current_tenant_id(), _fetch), old.size, new.size)
    except LookupError as error:
        raise ProofBroken(f"The stored tree is incomplete: {error}.") from error
    if not verify_consistency(old.size, new.size, path, bytes(old.root), bytes(new.root)):
        raise ProofBroken("The stored tree no longer gives the checkpoints' roots.")
    return Consistency(old, new, path)


def _fetch(sql: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
