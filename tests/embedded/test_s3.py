"""The buckets and what the app's identity may do in them, on the suite's S3 server."""

import datetime
import os
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

EVIDENCE, STAGING = os.environ["EVIDENCE_BUCKET"], os.environ["EVIDENCE_STAGING_BUCKET"]


@pytest.fixture(scope="module")
def client() -> Any:
    return boto3.client("s3", endpoint_url=os.environ["EVIDENCE_S3_ENDPOINT"])


def _refusal(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_evidence_keeps_versions_and_has_object_lock_without_a_default(client: Any) -> None:
    assert client.get_bucket_versioning(Bucket=EVIDENCE)["Status"] == "Enabled"
    client.put_object(Bucket=EVIDENCE, Key="unlocked", Body=b"1")
    version = client.put_object(Bucket=EVIDENCE, Key="unlocked", Body=b"2")["VersionId"]
    with pytest.raises(ClientError):
        client.get_object_retention(Bucket=EVIDENCE, Key="unlocked", VersionId=version)
    client.delete_object(Bucket=EVIDENCE, Key="unlocked", VersionId=version)
    assert client.get_object(Bucket=EVIDENCE, Key="unlocked")["Body"].read() == b"1"


def test_locked_version_can_not_be_deleted_nor_unlocked(client: Any) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    version = client.put_object(
        Bucket=EVIDENCE, Key="locked", Body=b"1", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    for bypass in ({}, {"BypassGovernanceRetention": True}):
        with pytest.raises(ClientError) as refused:
            client.delete_object(Bucket=EVIDENCE, Key="locked", VersionId=version, **bypass)
        assert _refusal(refused) == "AccessDenied"
    assert client.get_object(Bucket=EVIDENCE, Key="locked", VersionId=version)["Body"].read() == b"1"


def test_staging_takes_and_gives_back(client: Any) -> None:
    client.put_object(Bucket=STAGING, Key="trial", Body=b"1")
    client.delete_object(Bucket=STAGING, Key="trial")
    assert client.list_objects_v2(Bucket=STAGING, Prefix="trial")["KeyCount"] == 0


def test_app_may_not_make_buckets(client: Any) -> None:
    with pytest.raises(ClientError) as refused:
        client.create_bucket(Bucket="another")
    assert _refusal(refused) == "AccessDenied"


@pytest.mark.parametrize("path", ["/", f"/{EVIDENCE}/", f"/{EVIDENCE}/locked"])
def test_unsigned_requests_are_refused(path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(os.environ["EVIDENCE_S3_ENDPOINT"] + path, timeout=5)
    assert refused.value.code == 403
