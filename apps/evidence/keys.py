"""The names of objects (specification 3.3, without the leading slash): every key begins with its tenant.

tenants/{tenant}/evidence/{action_id}/{artifact}
tenants/{tenant}/reports/{report_id}/{name}
tenants/{tenant}/staging/{uuid}/{name}
"""

from __future__ import annotations

import re
import unicodedata
import uuid

from apps.core.context import current_tenant_id
from apps.core.ids import new_id

from .errors import ArtifactMissing

MAX_NAME = 120
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str) -> str:
    """The last part of a path, in letters, digits, dot, hyphen and underscore: `../a b.csv` → `a-b.csv`."""
    last = re.split(r"[/\\]", name)[-1]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    cleaned = _UNSAFE.sub("-", plain).strip("-.")
    return cleaned[-MAX_NAME:].lstrip("-.") or "file"


def staging_key(name: str) -> str:
    return f"{_tenant_prefix()}staging/{new_id()}/{safe_name(name)}"


def evidence_key(action_id: uuid.UUID, artifact: str) -> str:
    return f"{_tenant_prefix()}evidence/{action_id}/{safe_name(artifact)}"


def report_key(report_id: uuid.UUID, name: str) -> str:
    return f"{_tenant_prefix()}reports/{report_id}/{safe_name(name)}"


def require_own(key: str, area: str = "") -> None:
    """Raise ArtifactMissing, in the words for one that is not there, unless `key` is the context's tenant's.

    `area` narrows it to `staging`, `evidence` or `reports`.
    """
    prefix = _tenant_prefix() + (f"{area}/" if area else "")
    parts = key.split("/")
    if not key.startswith(prefix) or any(part in ("", ".", "..") for part in parts):
        raise ArtifactMissing(f"There is no object {key!r}.")


def _tenant_prefix() -> str:
    return f"tenants/{current_tenant_id()}/"
