"""Sealing: rows into their tenant's tree, the tree's head into a signed checkpoint, the checkpoint into the store.

Each step is a transaction of its own, and what it leaves is picked up by whoever comes next, so the sealer may
be killed anywhere and two of them may run:

1. Under the lock of the tenant's chain: decided rows get the next places in the tree, and the checkpoint is
   signed and written down as pending. While one is pending no next is made: a tree can't fork.
2. Without a transaction: the pending bytes go under their key into the store. Repeated, they are the same bytes.
3. The checkpoint counts from now on, and the platform's checkpoint takes it up, by the same two steps.

Before step 2 the store is asked whether it holds a checkpoint that this database does not know: then an older
backup was restored, or two databases write into one bucket, and nothing is sealed on top of it.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import InterfaceError, OperationalError, connections

from apps.core.errors import TransientFailure

from ..keys import Signer
from .anchoring import ForkRefused
from .database import ALIAS, fetch
from .platform import seal_platform
from .tenant import NOBODY, seal_tenant

log = logging.getLogger(__name__)

# A transaction id at or after the snapshot's end can't be visible: such a row, or a chain that was read so far,
# comes from another cluster (a dump restored into a new one). Its order says nothing here.
WAITING = """
WITH now AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin, pg_snapshot_xmax(pg_current_snapshot()) AS xmax
)
SELECT t.id FROM now, tenants t LEFT JOIN audit_chains c ON c.tenant_id = t.id
WHERE EXISTS (
    SELECT FROM audits a
    WHERE a.tenant_id = t.id AND (a.xid < now.xmin OR a.xid >= now.xmax) AND (a.xid, a.id) > (
        CASE WHEN c.read_xid < now.xmax THEN c.read_xid ELSE '0'::xid8 END, coalesce(c.read_id, %(nobody)s))
)
ORDER BY t.id
"""
UNFINISHED = (
    "SELECT DISTINCT tenant_id FROM audit_checkpoints WHERE platform_size IS NULL AND anchored_at IS NULL"
)


@dataclass
class Sealed:
    """What one round did; `refused` are the trails that must not be sealed on, each with the reason."""

    leaves: int = 0
    checkpoints: int = 0
    platform_size: int | None = None
    refused: list[str] = field(default_factory=list)


def seal_round(signers: Sequence[Signer]) -> Sealed:
    """Seal and anchor what is decided now, of all tenants. Errors of the store pass through: try again later."""
    done = Sealed()
    for tenant_id in sorted(_tenants(UNFINISHED) | _tenants(WAITING)):
        try:
            leaves, checkpoints = seal_tenant(tenant_id, signers)
        except ForkRefused as refusal:
            done.refused.append(str(refusal))
            continue
        done.leaves += leaves
        done.checkpoints += checkpoints
    try:
        done.platform_size = seal_platform(signers)
    except ForkRefused as refusal:
        done.refused.append(str(refusal))
    return done


def seal_forever(
    read_signers: Callable[[], Sequence[Signer]], seconds: float, told: Callable[[Sealed], None]
) -> None:
    """A round every `seconds`, through whatever server is away; the keys are read anew for each."""
    while True:
        began = time.monotonic()
        try:
            told(seal_round(read_signers()))
        except (TransientFailure, OperationalError, InterfaceError) as error:
            log.warning("Sealing waits: %s", str(error).splitlines()[0])
            connections[ALIAS].close()
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))


def _tenants(sql: str) -> set[uuid.UUID]:
    return {row[0] for row in fetch(sql, {"nobody": NOBODY})}
