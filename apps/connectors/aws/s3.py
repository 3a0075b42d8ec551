"""What is read and changed of a bucket. `call` is `AwsCloud.call` or something that also keeps a record."""

from __future__ import annotations

from typing import Any

from apps.connectors.aws.cloud import Call
from apps.connectors.errors import CloudGone

FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
# "There is no such setting" comes as an error of its own for each; a bucket that is gone is NoSuchBucket.
_NO_BUCKET = "NoSuchBucket"


def unless_unset(call: Call, method: str, bucket: str, region: str | None = None) -> dict[str, Any] | None:
    """A setting of a bucket, None where it was never set. Raises CloudGone where the bucket is gone."""
    try:
        return call("s3", method, region, Bucket=bucket)
    except CloudGone as error:
        if error.code == _NO_BUCKET:
            raise
        return None


def public_access_block(call: Call, bucket: str) -> dict[str, bool] | None:
    answer = unless_unset(call, "get_public_access_block", bucket)
    if answer is None:
        return None
    told = answer["PublicAccessBlockConfiguration"]
    return {flag: bool(told.get(flag)) for flag in FLAGS}


def set_public_access_block(call: Call, bucket: str, flags: dict[str, bool] | None) -> None:
    if flags is None:
        call("s3", "delete_public_access_block", Bucket=bucket)
    else:
        call("s3", "put_public_access_block", Bucket=bucket, PublicAccessBlockConfiguration=flags)


def encryption(call: Call, bucket: str) -> list[dict[str, Any]] | None:
    """The default encryption rules."""
    answer = unless_unset(call, "get_bucket_encryption", bucket)
    return answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else None


def set_encryption(call: Call, bucket: str, rules: list[dict[str, Any]] | None) -> None:
    if rules is None:
        call("s3", "delete_bucket_encryption", Bucket=bucket)
    else:
        call("s3", "put_bucket_encryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def keeps_versions(call: Call, bucket: str) -> bool:
    return bool(call("s3", "get_bucket_versioning", Bucket=bucket).get("Status") == "Enabled")


def set_keeps_versions(call: Call, bucket: str, on: bool) -> None:
    status = {"Status": "Enabled" if on else "Suspended"}
    call("s3", "put_bucket_versioning", Bucket=bucket, VersioningConfiguration=status)
