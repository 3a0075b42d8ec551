"""The object store's legal holds, and what of a tenant lies in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from .client import store_client, talking
from .keys import require_own
from .options import options

Held = Callable[[str], bool]

_held: list[Held] = []
_NEVER_HELD = {"NoSuchObjectLockConfiguration", "NoSuchObjectLegalHold"}
_LOCKED = {"AccessDenied", "403", "ObjectLocked", "InvalidRequest"}


def ask_before_writing(held: Held) -> None:
    """A room above says which keys are under a hold: an artifact that is written there is held from the first."""
    if held not in _held:
        _held.append(held)


def is_held(key: str) -> bool:
    return any(held(key) for held in _held)


def versions_under(prefix: str, bucket: str | None = None) -> Iterator[tuple[str, str]]:
    """(key, version id) of every version below a prefix of the context's tenant, page by page."""
    require_own(prefix + "x")
    for version in list_versions(bucket or options().bucket, prefix):
        if not version.is_marker:  # a marker can't be held
            yield version.key, version.version_id


@dataclass(frozen=True)
class Version:
    """A version of an object, or a delete marker (0 bytes)."""

    key: str
    version_id: str
    size: int
    modified: datetime
    is_marker: bool


def list_versions(bucket: str, prefix: str) -> Iterator[Version]:
    """Every version and delete marker below `prefix`, page by page."""
    marker: dict[str, str] = {}
    while True:
        with talking("listing versions"):
            page = store_client().list_object_versions(Bucket=bucket, Prefix=prefix, **marker)
        for kind in ("Versions", "DeleteMarkers"):
            for entry in page.get(kind, []):
                size, is_marker = int(entry.get("Size", 0)), kind == "DeleteMarkers"
                yield Version(entry["Key"], entry["VersionId"], size, entry["LastModified"], is_marker)
        if not page.get("IsTruncated"):
            return
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def hold_version(key: str, version_id: str, *, held: bool) -> int:
    """Put the store's legal hold on a version or take it off; 1 where that changed it."""
    require_own(key)
    wanted = "ON" if held else "OFF"
    where = {"Bucket": options().bucket, "Key": key, "VersionId": version_id}
    with talking("setting a legal hold"):
        if _hold_of(where) == wanted:
            return 0
        store_client().put_object_legal_hold(**where, LegalHold={"Status": wanted})
    return 1


def _hold_of(where: dict[str, str]) -> str:
    try:
        answer: dict[str, Any] = store_client().get_object_legal_hold(**where)
    except ClientError as error:
        # A version that never had one.
        if error.response.get("Error", {}).get("Code") in _NEVER_HELD:
            return "OFF"
        raise
    return str(answer.get("LegalHold", {}).get("Status", "OFF"))


def delete_version(bucket: str, key: str, version_id: str) -> bool:
    """Delete a version for good; False where its lock or a hold forbids it. Raises StoreAway."""
    with talking("deleting a version"):
        try:
            store_client().delete_object(Bucket=bucket, Key=key, VersionId=version_id)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOCKED:
                return False
            raise
    return True


def locked_until(bucket: str, key: str, version_id: str) -> str:
    """ISO 8601 of when the version's lock ends; "" where it has none, "hold" under a legal hold."""
    with talking("looking at a lock"):
        head = store_client().head_object(Bucket=bucket, Key=key, VersionId=version_id)
    if head.get("ObjectLockLegalHoldStatus") == "ON":
        return "hold"
    until = head.get("ObjectLockRetainUntilDate")
    return until.isoformat() if until else ""
