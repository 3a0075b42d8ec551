"""The bundle's receipt: that its manifest's hash stands in the sealed audit trail.

Workers hold no key. So the manifest is signed by way of the trail: an audit row names its hash, the sealer takes that
row into the tenant's tree and signs a checkpoint, and the bundle carries the row, its path and that checkpoint.
A period that is over gives the same manifest in every run, and then the same receipt: the row that named its hash
first, in the first checkpoint that has it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from apps.audit.models import Audit, AuditCheckpoint
from apps.audit.options import options
from apps.audit.proofs import Inclusion, prove_inclusion
from apps.audit.services import record
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import StaleState

from .bundle import write_text
from .models import Report
from .period import Period
from .places import write_places
from .tables import JSON, TEXT, BundleFile, json_text

WRITTEN = "reports.report.manifest_written"
RECEIPT, CHECKPOINT = "receipt.json", "checkpoint.txt"
ROUNDS, LEAST_SECONDS, PAUSE_SECONDS = 6, 20, 0.5


def write_receipt(
    folder: Path, report: Report, period: Period, manifest: BundleFile, pause: Callable[[str], Any]
) -> list[BundleFile]:
    """receipt.json, checkpoint.txt and places.json; nothing where the tenant's trail is not being sealed.

    `pause` is called while it waits for the sealer, which takes the row up within a round or two.
    """
    with tenant_transaction(current_tenant_id()):
        row = _row_of(report, manifest)
        if not AuditCheckpoint.objects.filter(anchored_at__isnull=False).exists():
            return []
    proof = _sealed(row, pause)
    if proof is None:
        return []
    with tenant_transaction(current_tenant_id()):
        canonical = bytes(Audit.objects.values_list("canonical", flat=True).get(pk=row.pk))
    receipt = {
        "manifest_sha256": manifest.sha256,
        "audit_row": str(row.pk),
        "canonical": base64.b64encode(canonical).decode(),
        "leaf": proof.leaf.hex(),
        "index": proof.index,
        "path": [node.hex() for node in proof.path],
    }
    return [
        write_text(folder, RECEIPT, json_text(receipt, indent=2) + "\n", JSON),
        write_text(folder, CHECKPOINT, proof.checkpoint.note, TEXT),
        *write_places(folder, period, proof.checkpoint),
    ]


def _row_of(report: Report, manifest: BundleFile) -> Audit:
    """The first row that names the manifest's hash; written now where there is none."""
    told = {"manifest_sha256": manifest.sha256}
    first = Audit.objects.filter(action=WRITTEN, target_type="reports.report", payload__contains=told)
    return first.order_by("created_at", "id").first() or record(WRITTEN, report, told)


def _sealed(row: Audit, pause: Callable[[str], Any]) -> Inclusion | None:
    deadline = monotonic() + max(LEAST_SECONDS, ROUNDS * options().seal_seconds)
    while monotonic() < deadline:
        try:
            with tenant_transaction(current_tenant_id()):
                return prove_inclusion(audit_id=row.pk)
        except StaleState:  # not sealed yet, or its checkpoint is on its way into the store
            pause("waiting for the seal of the manifest")
            sleep(PAUSE_SECONDS)
    return None
