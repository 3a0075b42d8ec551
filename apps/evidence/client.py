"""The connection to the object store: clients, time limits, and its errors in our words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from django.db import connections

from .errors import (
    ArtifactMissing,
    ChecksumMismatch,
    StoreAway,
    StoreDenied,
    StoreRefused,
    TransactionHeld,
)
from .options import StoreOptions, options

CONNECT_SECONDS = 3
READ_SECONDS = 30
ATTEMPTS = 3

_MISSING = {"NoSuchKey", "NoSuchVersion", "NotFound", "404"}
_CHECKSUM = {"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
_BUSY = {"SlowDown", "RequestTimeout", "ServiceUnavailable", "InternalError", "Throttling", "429"}
_FORBIDDEN = 403
_SERVER_ERROR = 500


def store_client() -> Any:
    """The client that the server itself uses."""
    return _client(os.getpid(), options().endpoint, options())


def client_for(store: StoreOptions) -> Any:
    """A client with other credentials or another endpoint than the server's own."""
    return _client(os.getpid(), store.endpoint, store)


def signing_client() -> Any:
    """The client whose presigned URLs a browser can reach; it is never used to connect."""
    return _client(os.getpid(), options().public_endpoint or options().endpoint, options())


@lru_cache(maxsize=8)
def _client(pid: int, endpoint: str | None, store: StoreOptions) -> Any:
    """One client for each process: threads may share it, but a fork must not share its sockets."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        region_name=store.region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            max_pool_connections=16,
            # We send SHA-256 ourselves and re-hash what we read; a second checksum would only cost time.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def refuse_open_transaction(server: str = "the object store") -> None:
    """Raise TransactionHeld where any connection of this thread is inside a transaction.

    A transaction that waits for another server holds back vacuum and locks. The one that Django's TestCase
    wraps around a test is no such transaction: Django marks it itself (as it does for `atomic(durable=True)`),
    so tests need no switch, and code under test that opens one is found out there too.
    """
    for connection in connections.all(initialized_only=True):
        if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
            raise TransactionHeld(f"a database transaction is open while talking to {server}")


@contextlib.contextmanager
def talking(what: str) -> Iterator[None]:
    """Around every exchange with the store: no transaction may be open; its errors become ours."""
    refuse_open_transaction()
    try:
        yield
    except ClientError as error:
        raise _from_answer(error, what) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreDenied(f"There are no credentials for the object store: {error}") from error
    except (
        HTTPClientError,
        ConnectionError,
        IncompleteReadError,
        ResponseStreamingError,
        ReadTimeoutError,
    ) as error:
        raise StoreAway(f"The object store did not answer while {what}.") from error
    except BotoCoreError as error:
        raise StoreRefused(f"The object store can't be used ({what}): {error}") from error


def _from_answer(error: ClientError, what: str) -> Exception:
    detail = error.response.get("Error", {})
    code, message = str(detail.get("Code", "")), str(detail.get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _CHECKSUM:
        return ChecksumMismatch(f"The object store refused the bytes, {what}: their SHA-256 differs.")
    if code == "NoSuchBucket":
        bucket = detail.get("BucketName") or "evidence or staging"
        return StoreRefused(f"The object store has no bucket {bucket}, {what}.")
    if code in _MISSING:
        return ArtifactMissing(f"The object store has no such object, {what}.")
    if status == _FORBIDDEN:
        return StoreDenied(f"The object store denied access, {what}: {code}.")
    if status >= _SERVER_ERROR or code in _BUSY:
        return StoreAway(f"The object store can't serve just now, {what}: {code}.")
    return StoreRefused(f"The object store refused, {what}: {code} {message}".rstrip())
