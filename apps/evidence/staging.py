"""Files on their way in: uploaded to the staging bucket, which nothing locks, and read from there by jobs."""

from __future__ import annotations

import io
from typing import IO, Any, BinaryIO, cast

from boto3.s3.transfer import TransferConfig

from .client import refuse_open_transaction, store_client, talking
from .errors import ArtifactMissing
from .keys import require_own, staging_key
from .options import options

PART_BYTES = 8 * 1024 * 1024
READ_AHEAD_BYTES = 4 * 1024 * 1024
BUFFER_BYTES = 64 * 1024

# One part in memory at a time, in this thread: an upload of any size costs a worker a fixed amount.
_TRANSFER = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False)


class _Unclosable:
    """boto3 closes what it uploads; the caller's file stays the caller's."""

    def __init__(self, fileobj: IO[bytes]) -> None:
        self.read = fileobj.read


def stage(name: str, fileobj: IO[bytes]) -> str:
    """Upload `fileobj`, from where it stands to its end, and give back its object key.

    Streams in parts of 8 MiB, each with a SHA-256 that the store verifies. `name` only ends the key, made
    safe. Raises StoreAway (try again), StoreDenied, ChecksumMismatch; errors of `fileobj` pass through.
    """
    key = staging_key(name)
    with talking("staging an upload"):
        store_client().upload_fileobj(
            _Unclosable(fileobj),
            options().staging_bucket,
            key,
            ExtraArgs={"ChecksumAlgorithm": "SHA256"},
            Config=_TRANSFER,
        )
    return key


def open_staged(key: str) -> BinaryIO:
    """A staged file for reading, seekable, in flat memory, for a reader as slow as it likes.

    Reads by ranges of 4 MiB rather than over one long answer, which a store would cut while the reader writes
    its rows; each must be of the same object (its ETag). No transaction may be open while reading.
    Raises ArtifactMissing (also for another tenant's key), StoreAway, StoreDenied.
    """
    require_own(key, "staging")
    bucket = options().staging_bucket
    with talking("opening a staged file"):
        head = store_client().head_object(Bucket=bucket, Key=key)
    raw = _Ranges(bucket, key, head["ETag"], int(head["ContentLength"]))
    return cast(BinaryIO, io.BufferedReader(raw, BUFFER_BYTES))


def discard_staged(key: str) -> None:
    """Delete a staged file; one that is already gone is no error."""
    require_own(key, "staging")
    with talking("discarding a staged file"):
        store_client().delete_object(Bucket=options().staging_bucket, Key=key)


class _Ranges(io.RawIOBase):
    """An object as a raw file, fetched block by block."""

    def __init__(self, bucket: str, key: str, etag: str, size: int) -> None:
        self._bucket, self._key, self._etag, self._size = bucket, key, etag, size
        self._at = 0
        self._block, self._block_at = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"can't seek to {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        # At each refill, not only where a range is due: a reader that holds a transaction is found with
        # small files too.
        refuse_open_transaction()
        if self._at >= self._size:
            return 0
        if not self._block_at <= self._at < self._block_at + len(self._block):
            self._fetch()
        start = self._at - self._block_at
        chunk = self._block[start : start + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def _fetch(self) -> None:
        last = min(self._at + READ_AHEAD_BYTES, self._size) - 1
        with talking("reading a staged file"):
            answer = store_client().get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={self._at}-{last}", IfMatch=self._etag
            )
            self._block, self._block_at = answer["Body"].read(), self._at
        if not self._block:
            raise ArtifactMissing(f"The staged object {self._key!r} ended at byte {self._at}.")
