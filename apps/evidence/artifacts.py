"""Evidence and reports: written once under their hash, locked when asked, re-hashed whenever they are read."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import quote

from apps.core.errors import InvalidInput

from .client import signing_client, store_client, talking
from .errors import ArtifactMissing, ChecksumMismatch, StoreRefused
from .holding import is_held
from .keys import require_own, safe_name, staging_key
from .options import options

CHUNK_BYTES = 1024 * 1024
SPOOL_BYTES = 8 * 1024 * 1024
URL_LIFE = timedelta(minutes=2)
# What one PUT may carry. In parts the store would keep a hash of hashes, which says nothing to an auditor.
MAX_BYTES = 5 * 1024**3
# Nobody, not even the store's administrator, can shorten it.
RETENTION_MODE = "COMPLIANCE"


@dataclass(frozen=True)
class Artifact:
    """An object as it lies in the evidence bucket; what a manifest keeps of it.

    `path` is the key (no leading slash), `sha256` hex, `size` bytes, `received_at` when the store took it.
    """

    path: str
    sha256: str
    size: int
    media_type: str
    version_id: str
    received_at: datetime
    retain_until: datetime | None

    def as_manifest(self) -> dict[str, Any]:
        """JSON-ready: times as ISO 8601 UTC."""
        retain = self.retain_until.isoformat() if self.retain_until else None
        return asdict(self) | {"received_at": self.received_at.isoformat(), "retain_until": retain}


def put_artifact(
    key: str, content: Path | IO[bytes], media_type: str, *, retain_until: datetime | None = None
) -> Artifact:
    """Write `content` (a path, or a seekable file) under `key` and give back what was proven to be there.

    It is hashed first, uploaded to the staging bucket with that SHA-256 and verified, and only then written
    under its key and lock: a lock would freeze a torn upload too. The store must then confirm size, hash
    and, with `retain_until`, the lock (some accept a lock's headers and ignore them). Writing the same bytes
    again gives the version that is there. Raises ChecksumMismatch, StoreAway, StoreDenied, StoreRefused,
    InvalidInput above 5 GiB or for a `retain_until` without time zone.
    """
    require_own(key)
    if retain_until is not None and retain_until.tzinfo is None:
        raise InvalidInput("retain_until needs a time zone.", field="retain_until")
    with _opened(content) as file:
        digest, size = _hash(file)
        if size > MAX_BYTES:
            raise InvalidInput(
                f"{size} bytes are more than one artifact may have ({MAX_BYTES}).", field="content"
            )
        wanted = _Wanted(key, digest, size, media_type, retain_until)
        if (present := _present(wanted)) is not None:
            return present
        _prove_upload(file, wanted)
        return _write(file, wanted)


def read_artifact(key: str, version_id: str, sha256: str) -> BinaryIO:
    """The bytes of a version, whole and re-hashed before the first is handed out; above 8 MiB from disk.

    Raises ChecksumMismatch where they are no longer what was recorded, ArtifactMissing, StoreAway, StoreDenied.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  the caller closes it
    try:
        _verify(key, version_id, sha256, spool)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return cast(BinaryIO, spool)


def verify_artifact(key: str, version_id: str, sha256: str) -> None:
    """Read a version and hash it, keeping nothing. Raises as read_artifact."""
    _verify(key, version_id, sha256, None)


def download_url(key: str, version_id: str, filename: str, sha256: str | None = None) -> str:
    """A URL that lets a browser fetch this very version for two minutes, as the file `filename`.

    With `sha256` the version is read and hashed first. Signed for EVIDENCE_S3_PUBLIC_ENDPOINT where that is
    set. Raises as read_artifact.
    """
    require_own(key)
    if sha256 is not None:
        _verify(key, version_id, sha256, None)
    with talking("signing a download"):
        return str(
            signing_client().generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": options().bucket,
                    "Key": key,
                    "VersionId": version_id,
                    "ResponseContentDisposition": _attachment(filename),
                },
                ExpiresIn=int(URL_LIFE.total_seconds()),
            )
        )


@dataclass(frozen=True)
class _Wanted:
    key: str
    digest: bytes
    size: int
    media_type: str
    retain_until: datetime | None

    @property
    def checksum(self) -> str:
        return base64.b64encode(self.digest).decode()

    def differs(self, head: dict[str, Any]) -> str | None:
        """What of a HEAD answer is not as wanted: "size", "sha256", "retention", or None."""
        if int(head["ContentLength"]) != self.size:
            return "size"
        if head.get("ChecksumSHA256") != self.checksum:
            return "sha256"
        if self.retain_until is not None:
            until = head.get("ObjectLockRetainUntilDate")
            # Stores keep whole seconds.
            if until is None or until < self.retain_until.replace(microsecond=0):
                return "retention"
        return None

    def artifact(self, head: dict[str, Any]) -> Artifact:
        return Artifact(
            path=self.key,
            sha256=self.digest.hex(),
            size=self.size,
            media_type=self.media_type,
            version_id=head["VersionId"],
            received_at=head["LastModified"],
            retain_until=head.get("ObjectLockRetainUntilDate"),
        )


def _present(wanted: _Wanted) -> Artifact | None:
    """The artifact, where an earlier attempt has already written it: locked versions can't be cleared away."""
    try:
        head = _head(options().bucket, wanted.key)
    except ArtifactMissing:
        return None
    same = wanted.differs(head) is None and head.get("ContentType") == wanted.media_type
    return wanted.artifact(head) if same and head.get("VersionId") else None


def _prove_upload(file: IO[bytes], wanted: _Wanted) -> None:
    bucket, key = options().staging_bucket, staging_key(wanted.key)
    try:
        with talking("uploading an artifact"):
            store_client().put_object(
                Bucket=bucket,
                Key=key,
                Body=_rewound(file),
                ContentLength=wanted.size,
                ChecksumSHA256=wanted.checksum,
            )
        head = _head(bucket, key)
    finally:
        with contextlib.suppress(Exception), talking("clearing the staging bucket"):
            store_client().delete_object(Bucket=bucket, Key=key)
    if int(head["ContentLength"]) != wanted.size or head.get("ChecksumSHA256") != wanted.checksum:
        raise ChecksumMismatch("What the object store staged is not what was sent.")


def _write(file: IO[bytes], wanted: _Wanted) -> Artifact:
    lock: dict[str, Any] = (
        {"ObjectLockMode": RETENTION_MODE, "ObjectLockRetainUntilDate": wanted.retain_until}
        if wanted.retain_until
        else {}
    )
    if is_held(wanted.key):
        lock["ObjectLockLegalHoldStatus"] = "ON"
    bucket = options().bucket
    with talking("writing an artifact"):
        version = store_client().put_object(
            Bucket=bucket,
            Key=wanted.key,
            Body=_rewound(file),
            ContentLength=wanted.size,
            ContentType=wanted.media_type,
            ChecksumSHA256=wanted.checksum,
            **lock,
        )
    if not version.get("VersionId"):
        raise StoreRefused(f"The bucket {bucket} keeps no versions: evidence could be overwritten there.")
    head = _head(bucket, wanted.key, version["VersionId"])
    wrong = wanted.differs(head)
    if wrong == "retention":
        raise StoreRefused(f"The object store did not lock {wanted.key!r} until {wanted.retain_until}.")
    if wrong:
        raise ChecksumMismatch(f"{wanted.key!r} was written, but its {wrong} in the store is another.")
    return wanted.artifact({**head, "VersionId": version["VersionId"]})


def _head(bucket: str, key: str, version_id: str | None = None) -> dict[str, Any]:
    version = {"VersionId": version_id} if version_id else {}
    with talking("looking at an object"):
        return cast(
            dict[str, Any],
            store_client().head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED", **version),
        )


def _verify(key: str, version_id: str, sha256: str, into: IO[bytes] | None) -> None:
    require_own(key)
    digest = hashlib.sha256()
    with talking("reading an artifact"):
        answer = store_client().get_object(Bucket=options().bucket, Key=key, VersionId=version_id)
        for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
            digest.update(chunk)
            if into is not None:
                into.write(chunk)
    if digest.hexdigest() != sha256:
        raise ChecksumMismatch(
            f"{key!r}, version {version_id}, is not what was recorded: its SHA-256 is {digest.hexdigest()},"
            f" recorded was {sha256}."
        )


@contextlib.contextmanager
def _opened(content: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    if isinstance(content, Path):
        with content.open("rb") as file:
            yield file
    else:
        yield content


def _hash(file: IO[bytes]) -> tuple[bytes, int]:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return digest.digest(), size


def _rewound(file: IO[bytes]) -> IO[bytes]:
    file.seek(0, io.SEEK_SET)
    return file


def _attachment(filename: str) -> str:
    """RFC 6266: a plain name for every browser and the exact one, percent-encoded, for today's."""
    return f"attachment; filename=\"{safe_name(filename)}\"; filename*=UTF-8''{quote(filename, safe='')}"
