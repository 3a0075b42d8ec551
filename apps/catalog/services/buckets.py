"""Files that lie in a bucket of a connected AWS account, where bills are exported to: read by the account's own
credentials, which its tenant has been allowed and has proven."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.errors import CloudError
from apps.core.errors import InvalidInput

from .clouds import cloud_of

MAX_OBJECTS = 5_000
MAX_BYTES = 64 << 30
NAME_KEPT = 60  # characters, of up to four bytes each
_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})", re.DOTALL)
_BLOCK = 1 << 20


def split_address(address: str) -> tuple[str, str]:
    """(bucket, key) of `s3://BUCKET/KEY`; a key that ends with a slash means all that lies under it."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None or "\x00" in address:
        raise InvalidInput(
            "An address in a bucket is s3://BUCKET/KEY, or s3://BUCKET/PREFIX/ for all under it.",
            field="address",
        )
    return found[1], found[2]


def fetch_objects(address: str, account: str | None, folder: Path) -> Path:
    """Copy what lies at `address` into `folder`: the file, or the folder itself where the address ends with a slash.

    The account is the only connected one of AWS unless named. Raises InvalidInput (field address) where nothing is
    there, where it is too much, and where the cloud refuses, in its words; NotFound and Refused of the account.
    """
    bucket, key = split_address(address)
    try:
        cloud = cloud_of(provider="aws", account=account)
        if not isinstance(cloud, AwsCloud):
            raise InvalidInput(f"{account} is no AWS account.", field="account")
        keys = _keys(cloud, bucket, key)
        for number, one in enumerate(keys):
            # In the order of the keys, whatever they are called; a key may be longer than a file's name.
            target = folder / f"{number:05}-{PurePosixPath(one).name[-NAME_KEPT:]}"
            _copy(cloud, bucket, one, target)
    except CloudError as error:
        raise InvalidInput(str(error), field="address") from error
    return folder if key.endswith("/") else target


def _keys(cloud: AwsCloud, bucket: str, key: str) -> list[str]:
    found, size = [], 0
    for one in _listed(cloud, bucket, key):
        marker = one["Key"].endswith("/")  # of a folder, as consoles make them
        if not marker and (one["Key"] == key or key.endswith("/")):
            found.append(one["Key"])
            size += one["Size"]
        if len(found) > MAX_OBJECTS or size > MAX_BYTES:
            raise InvalidInput(
                f"There is more than {MAX_OBJECTS:,} objects or {MAX_BYTES >> 30} GiB under s3://{bucket}/{key}.",
                field="address",
            )
    if not found:
        raise InvalidInput(f"There is nothing at s3://{bucket}/{key}.", field="address")
    return sorted(found)


def _listed(cloud: AwsCloud, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    more: dict[str, str] = {}
    while True:
        told = cloud.call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, **more)
        yield from told.get("Contents", [])
        if not told.get("IsTruncated"):
            return
        more = {"ContinuationToken": told["NextContinuationToken"]}


def _copy(cloud: AwsCloud, bucket: str, key: str, target: Path) -> None:
    body = cloud.call("s3", "get_object", Bucket=bucket, Key=key)["Body"]
    try:
        with target.open("wb") as file:
            for block in body.iter_chunks(_BLOCK):
                file.write(block)
    finally:
        body.close()
