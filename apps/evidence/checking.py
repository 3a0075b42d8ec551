"""What `audit verify` says of artifacts: each recorded version is read from the store and hashed."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from apps.core.context import tenant_scope
from apps.core.errors import InvalidInput

from .errors import ArtifactMissing, ChecksumMismatch
from .store import verify_artifact

# (code, where, what)
Tell = Callable[[str, str, str], None]


def check_artifact(
    tenant_id: uuid.UUID, path: str, version_id: str, sha256: str, *, where: str, tell: Tell
) -> None:
    """Tell of the version where it is not what was recorded. Raises StoreAway, StoreDenied: nothing is known then."""
    try:
        with tenant_scope(tenant_id):
            verify_artifact(path, version_id, sha256)
    except ArtifactMissing:
        tell("artifact-missing", where, f"{path!r}, version {version_id}, is not in the store")
    except (ChecksumMismatch, InvalidInput) as error:
        tell("artifact-swapped", where, str(error))
