"""The port to where checkpoints are kept: a bucket of their own, under object lock, outside the database.

The object store lies in a room above this one and fills the port in its AppConfig.ready().

tenants/{tenant}/checkpoints/{size, 20 digits}
platform/checkpoints/{size, 20 digits}
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

PLATFORM = "platform/checkpoints/"
TENANTS = "tenants/"
_DIGITS = 20


@dataclass(frozen=True)
class Anchor:
    """A version of an object. `deleted` is a delete marker: somebody hid the versions below it."""

    key: str
    version_id: str
    deleted: bool


class AnchorStore(Protocol):
    """Every call talks to the store, so none may be made inside a transaction. Errors are apps.evidence's."""

    def put(self, key: str, content: bytes, retain_until: datetime) -> str:
        """Write under a lock that nobody can shorten, confirm it, and return the version's id."""

    def read(self, key: str, version_id: str = "") -> bytes:
        """A version's bytes; the newest without an id."""

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        """Up to `limit` keys below `prefix` that sort after the key `after`."""

    def versions(self, prefix: str) -> Iterator[Anchor]:
        """All versions and delete markers below `prefix`, by key."""


_store: AnchorStore | None = None


def use_anchor_store(store: AnchorStore) -> None:
    global _store
    _store = store


def anchor_store() -> AnchorStore:
    if _store is None:
        raise RuntimeError("no anchor store: apps.evidence is not installed")
    return _store


def checkpoint_prefix(tenant_id: uuid.UUID | str) -> str:
    return f"{TENANTS}{tenant_id}/checkpoints/"


def checkpoint_key(tenant_id: uuid.UUID | str, size: int) -> str:
    return f"{checkpoint_prefix(tenant_id)}{size:0{_DIGITS}}"


def platform_key(size: int) -> str:
    return f"{PLATFORM}{size:0{_DIGITS}}"
