"""Evidence for people: verified against its hash whenever it is handed out, and on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.audit.services import record
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import GovernanceError, NotFound
from apps.evidence.errors import ArtifactMissing, ChecksumMismatch
from apps.evidence.store import download_url, read_artifact

from ..evidence import manifest_of
from ..models import Action


class EvidenceDamaged(GovernanceError):
    """What was locked is not there, or is not what was recorded. It is handed to nobody, and on record."""

    code = "evidence-damaged"


@dataclass(frozen=True)
class Checked:
    """An entry of the manifest and whether the store still holds just that; `problem` in words where not."""

    entry: dict[str, Any]
    holds: bool
    problem: str = ""


def evidence_url(*, action_id: Any, number: int) -> str:
    """A URL for two minutes to the artifact that stands at `number` (from 1) in the manifest. It is read and
    hashed first. Not inside a transaction. Raises NotFound, EvidenceDamaged, StoreAway."""
    action, entry = _entry(action_id, number)
    try:
        url = download_url(entry["path"], entry["version_id"], entry["name"], entry["sha256"])
    except (ChecksumMismatch, ArtifactMissing) as error:
        _note("actions.evidence.damaged", action, entry, {"why": str(error)})
        raise EvidenceDamaged(str(error)) from error
    _note("actions.evidence.downloaded", action, entry, {})
    return url


def verify_evidence(*, action_id: Any) -> list[Checked]:
    """Read every artifact of the manifest and compare its SHA-256. Not inside a transaction. Raises StoreAway."""
    with tenant_transaction(current_tenant_id()):
        action = _action(action_id)
    checked = [_check(entry) for entry in manifest_of(action.result)]
    with tenant_transaction(current_tenant_id()):
        facts = {"artifacts": len(checked), "damaged": [c.entry["name"] for c in checked if not c.holds]}
        record("actions.evidence.verified", action, facts)
    return checked


def _check(entry: dict[str, Any]) -> Checked:
    try:
        read_artifact(entry["path"], entry["version_id"], entry["sha256"]).close()
    except (ChecksumMismatch, ArtifactMissing) as error:
        return Checked(entry, False, str(error))
    return Checked(entry, True)


def _entry(action_id: Any, number: int) -> tuple[Action, dict[str, Any]]:
    with tenant_transaction(current_tenant_id()):
        action = _action(action_id)
    manifest = manifest_of(action.result)
    if not 1 <= number <= len(manifest):
        raise NotFound("This action has no such evidence.")
    return action, manifest[number - 1]


def _action(action_id: Any) -> Action:
    action = Action.objects.filter(pk=action_id).first()
    if action is None:
        raise NotFound("There is no such action.")
    return action


def _note(code: str, action: Action, entry: dict[str, Any], more: dict[str, Any]) -> None:
    with tenant_transaction(current_tenant_id()):
        record(code, action, {"path": entry["path"], "version_id": entry["version_id"], **more})
