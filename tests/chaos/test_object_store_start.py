"""The deployment's own start of the object store: object lock holds, and each identity may what it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from governance.embedded import ports, s3
from governance.embedded.process import Process, Program
from tests.chaos.stack import ROOT

SECRETS = {
    name: name.lower().replace("_", "") + "0123456789"
    for who in ("ADMIN", "APP", "SEALER")
    for name in (f"S3_{who}_KEY", f"S3_{who}_SECRET")
} | {"S3_SIGNING_KEY": "5" * 64, "S3_ENCRYPTION_KEY": "a1" * 32}
_PORTS = ("master", "volume", "filer", "admin")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="governance-store-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        taken: set[int] = set()
        for _ in range(2 + 2 * len(_PORTS)):
            taken.add(ports.choose(taken))
        port, grpc, *others = taken
        flags = [f"-s3.port.grpc={grpc}", "-master.electionTimeout=300ms", "-volume.preStopSeconds=0"]
        for number, part in enumerate(_PORTS):
            flags += [f"-{part}.port={others[2 * number]}", f"-{part}.port.grpc={others[2 * number + 1]}"]
        program = Program(
            name="s3",
            command=["sh", str(ROOT / "deploy" / "s3" / "start.sh")],
            log=folder / "s3.log",
            cwd=folder,
            environment={
                **SECRETS,
                "PATH": f"{s3.binary().parent}:{os.defpath}",
                "HOME": name,
                "RUN_FOLDER": name,
                "DATA_FOLDER": str(folder / "data"),
                "S3_HOST": ports.LOOPBACK,
                "S3_BIND": ports.LOOPBACK,
                "S3_PORT": str(port),
                "EXTRA_FLAGS": " ".join(flags),
            },
            ready=lambda pid, text: s3._answers(port),
            stop_signal=signal.SIGTERM,
        )
        store = Process(program)
        try:
            while not store.check_ready():
                pass
            address = f"http://{ports.LOOPBACK}:{port}"
            for _ in range(2):  # it may be run again
                subprocess.run(
                    [sys.executable, "-m", "deploy.s3.make_buckets"],
                    env={**os.environ, **SECRETS, "EVIDENCE_S3_ENDPOINT": address},
                    cwd=ROOT,
                    check=True,
                )
            yield address
        finally:
            store.stop()


def _client(endpoint: str, who: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=SECRETS[f"S3_{who}_KEY"],
        aws_secret_access_key=SECRETS[f"S3_{who}_SECRET"],
        region_name="us-east-1",
    )


def test_what_is_locked_nobody_deletes(endpoint: str) -> None:
    app, until = _client(endpoint, "APP"), datetime.now(UTC) + timedelta(days=1)
    locked = app.put_object(
        Bucket="evidence",
        Key="report.zip",
        Body=b"evidence",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
    )
    for who in ("APP", "ADMIN"):
        with pytest.raises(ClientError):
            _client(endpoint, who).delete_object(
                Bucket="evidence", Key="report.zip", VersionId=locked["VersionId"]
            )
    body = app.get_object(Bucket="evidence", Key="report.zip", VersionId=locked["VersionId"])["Body"]
    assert body.read() == b"evidence"


def test_the_app_makes_no_bucket_and_staging_is_plain(endpoint: str) -> None:
    app = _client(endpoint, "APP")
    with pytest.raises(ClientError):
        app.create_bucket(Bucket="another")
    app.put_object(Bucket="staging", Key="file", Body=b"x")
    app.delete_object(Bucket="staging", Key="file")
    with pytest.raises(ClientError):
        app.get_object(Bucket="staging", Key="file")


def test_the_sealer_alone_writes_checkpoints_and_writes_nothing_else(endpoint: str) -> None:
    app, sealer = _client(endpoint, "APP"), _client(endpoint, "SEALER")
    until = datetime.now(UTC) + timedelta(days=1)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    sealed = sealer.put_object(Bucket="checkpoints", Key="platform/checkpoints/1", Body=b"note", **lock)
    assert (
        sealer.head_object(Bucket="checkpoints", Key="platform/checkpoints/1")["ObjectLockMode"]
        == "COMPLIANCE"
    )
    assert app.get_object(Bucket="checkpoints", Key="platform/checkpoints/1")["Body"].read() == b"note"
    assert app.list_object_versions(Bucket="checkpoints")["Versions"][0]["VersionId"] == sealed["VersionId"]
    for who, bucket in ((app, "checkpoints"), (sealer, "evidence"), (sealer, "staging")):
        with pytest.raises(ClientError):
            who.put_object(Bucket=bucket, Key="file", Body=b"x")
    with pytest.raises(ClientError):
        app.delete_object(Bucket="checkpoints", Key="platform/checkpoints/1")
    with pytest.raises(ClientError):
        sealer.delete_object(
            Bucket="checkpoints", Key="platform/checkpoints/1", VersionId=sealed["VersionId"]
        )
