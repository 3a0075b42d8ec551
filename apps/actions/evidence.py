"""The evidence of an action: one locked artifact for each step, and what its manifest says of it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.evidence.keys import evidence_key
from apps.evidence.redaction import redacted
from apps.evidence.store import put_artifact

COLLECTOR = "governance.actions"
JSON = "application/json"
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Piece:
    """What a step leaves: `content` is JSON-ready, `source` the API it came from, `collected_at` when it was true."""

    name: str
    content: Mapping[str, Any]
    source: str
    collected_at: datetime


@dataclass(frozen=True)
class Folder:
    """Where an action's evidence goes, and how long the object store refuses to delete it: `years` from `asked_at`."""

    action_id: UUID
    asked_at: datetime
    years: int

    @property
    def retain_until(self) -> datetime:
        return (self.asked_at + self.years * YEAR).replace(microsecond=0)

    @property
    def retention_class(self) -> str:
        return f"{self.years} year{'' if self.years == 1 else 's'}"


def lock(folder: Folder, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """Write the pieces, without secrets, under retention; their manifest entries. Not inside a transaction.

    The same piece written again is the version that is there. Raises StoreAway and the store's other errors.
    """
    return [_lock(folder, piece) for piece in pieces]


def _lock(folder: Folder, piece: Piece) -> dict[str, Any]:
    content = {"collected_at": piece.collected_at.isoformat(), "source": piece.source, **piece.content}
    text = json.dumps(redacted(content), indent=1, sort_keys=True, ensure_ascii=False, default=str)
    artifact = put_artifact(
        evidence_key(folder.action_id, piece.name),
        io.BytesIO(text.encode("utf-8", "backslashreplace")),
        JSON,
        retain_until=folder.retain_until,
    )
    return {
        "name": piece.name,
        **artifact.as_manifest(),
        "collector": COLLECTOR,
        "source_api": piece.source,
        "collected_at": piece.collected_at.isoformat(),
        "retention_class": folder.retention_class,
    }


def with_entries(result: Mapping[str, Any] | None, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`actions.result` with the entries in its manifest, each version once."""
    kept = dict(result or {})
    manifest = list(kept.get("manifest") or [])
    known = {(entry.get("path"), entry.get("version_id")) for entry in manifest}
    manifest += [dict(e) for e in entries if (e["path"], e["version_id"]) not in known]
    return {**kept, "manifest": manifest}


def manifest_of(result: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The manifest as it stands, in the order of the steps; [] where there is none."""
    manifest = (result or {}).get("manifest")
    return [dict(e) for e in manifest if isinstance(e, Mapping)] if isinstance(manifest, list) else []


def manifest_sha256(result: Mapping[str, Any] | None) -> str:
    """SHA-256 (hex) of the manifest's canonical JSON: what the audit row of an action's end seals it by."""
    text = json.dumps(manifest_of(result), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def sealed(result: Mapping[str, Any] | None, **payload: Any) -> dict[str, Any]:
    """The payload of the audit row that ends an action."""
    return {"manifest_sha256": manifest_sha256(result), **payload}
