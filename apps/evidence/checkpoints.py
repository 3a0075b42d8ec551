"""Where audit checkpoints lie: a bucket of their own, each version locked, written by the sealer alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from apps.audit.anchors import Anchor
from apps.audit.options import options as audit_options

from .client import client_for, talking
from .errors import StoreRefused
from .options import StoreOptions, options

MEDIA_TYPE = "text/plain; charset=utf-8"
RETENTION_MODE = "COMPLIANCE"


class CheckpointBucket:
    """The anchor store (see apps.audit.anchors) over the S3 API."""

    def put(self, key: str, content: bytes, retain_until: datetime) -> str:
        with talking("writing a checkpoint"):
            written = self._client().put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType=MEDIA_TYPE,
                ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
                ObjectLockMode=RETENTION_MODE,
                ObjectLockRetainUntilDate=retain_until,
            )
            version_id = str(written.get("VersionId") or "")
            if not version_id:
                raise StoreRefused(
                    f"The bucket {self._bucket} keeps no versions: checkpoints could be overwritten."
                )
            head = self._client().head_object(Bucket=self._bucket, Key=key, VersionId=version_id)
        # Some stores accept a lock's headers and ignore them; all keep whole seconds.
        until = head.get("ObjectLockRetainUntilDate")
        if until is None or until < retain_until.replace(microsecond=0):
            raise StoreRefused(f"The object store did not lock {key!r} until {retain_until}.")
        return version_id

    def read(self, key: str, version_id: str = "") -> bytes:
        version = {"VersionId": version_id} if version_id else {}
        with talking("reading a checkpoint"):
            answer = self._client().get_object(Bucket=self._bucket, Key=key, **version)
            return bytes(answer["Body"].read())

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        with talking("listing checkpoints"):
            answer = self._client().list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after, MaxKeys=limit
            )
        return [found["Key"] for found in answer.get("Contents", [])]

    def versions(self, prefix: str) -> Iterator[Anchor]:
        pages = (
            self._client().get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        )
        found = iter(pages)
        while True:
            with talking("listing checkpoints"):
                page: Any = next(found, None)
            if page is None:
                return
            versions = [Anchor(v["Key"], v["VersionId"], False) for v in page.get("Versions", [])]
            markers = [Anchor(m["Key"], m["VersionId"], True) for m in page.get("DeleteMarkers", [])]
            yield from sorted([*versions, *markers], key=lambda anchor: anchor.key)

    @property
    def _bucket(self) -> str:
        return audit_options().bucket

    @staticmethod
    def _client() -> Any:
        return client_for(_credentials())


def _credentials() -> StoreOptions:
    """The sealer's own credentials where this process has them: only they may write here."""
    own = audit_options()
    if own.access_key is None:
        return options()
    return replace(options(), access_key=own.access_key, secret_key=own.secret_key)
