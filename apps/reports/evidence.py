"""The evidence of the actions that a report tells of: copied out of the object store, each hashed as it comes."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.actions.evidence import manifest_of
from apps.actions.models import Action
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import InvalidInput
from apps.evidence.errors import ArtifactMissing, ChecksumMismatch
from apps.evidence.keys import safe_name
from apps.evidence.store import read_artifact

from .period import Period
from .tables import JSON, BundleFile

COLUMNS = (
    "action_id", "number", "name", "state", "file", "sha256", "size", "media_type", "path", "version_id", "source_api",
    "collected_at", "received_at", "retention_class", "retain_until",
)  # fmt: skip
# At once in one transaction: their manifests are read, nothing of the store.
BATCH = 200
CHUNK_BYTES = 1 << 20

Row = dict[str, Any]


def evidence_rows(action_ids: Sequence[uuid.UUID], period: Period) -> Iterator[Row]:
    """A row for each artifact that the store had taken by the cut, in the order of actions and steps."""
    for first in range(0, len(action_ids), BATCH):
        part = action_ids[first : first + BATCH]
        with tenant_transaction(current_tenant_id()):
            results = dict(Action.objects.filter(pk__in=part).values_list("pk", "result"))
        for action_id in part:
            for number, entry in enumerate(manifest_of(results.get(action_id)), start=1):
                if _received(entry) < period.cut:
                    yield {
                        **{name: entry.get(name) for name in COLUMNS},
                        "action_id": action_id,
                        "number": number,
                    }


def copy_artifact(folder: Path, row: Row) -> BundleFile | None:
    """Put the artifact below `folder` and note in `row` where, or in what state it was found: `missing`, `changed`.

    Raises StoreAway and StoreDenied: then nothing is known.
    """
    file = f"evidence/{row['action_id']}/{row['number']:02d}-{safe_name(str(row['name']))}"
    try:
        with read_artifact(str(row["path"]), str(row["version_id"]), str(row["sha256"])) as source:
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            size, digest = 0, hashlib.sha256()
            with target.open("wb") as out:
                while chunk := source.read(CHUNK_BYTES):
                    size += len(chunk)
                    digest.update(chunk)
                    out.write(chunk)
    except ArtifactMissing:
        row |= {"state": "missing", "file": ""}
        return None
    except (ChecksumMismatch, InvalidInput):
        row |= {"state": "changed", "file": ""}
        return None
    row |= {"state": "whole", "file": file}
    return BundleFile(file, digest.hexdigest(), size, str(row["media_type"] or JSON))


def _received(entry: Mapping[str, Any]) -> datetime:
    """When the store took it; one whose entry does not say counts as always there."""
    said = entry.get("received_at")
    return datetime.fromisoformat(str(said)) if said else datetime.min.replace(tzinfo=UTC)
