"""A tenant with a trail, sealed by a key of the test's own into a bucket of the test's own."""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from apps.audit.keys import Signer, make_keys
from apps.audit.sealing.rounds import Sealed, seal_round
from apps.audit.services import record
from apps.core.context import Actor, tenant_transaction
from apps.core.ids import new_id
from governance.embedded import addresses

SERVERS = Path(os.environ["TEST_SERVERS_VAR"])


class Bucket:
    """The checkpoint bucket in the hands of whoever has the store's administrator's key."""

    def __init__(self, name: str) -> None:
        secrets = addresses.secrets_of(SERVERS)
        self.name = name
        self.client = boto3.client(
            "s3",
            endpoint_url=settings.EVIDENCE["endpoint"],
            aws_access_key_id=secrets["s3_admin_key"],
            aws_secret_access_key=secrets["s3_admin_secret"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)

    def objects(self, prefix: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def write(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def versions(self, key: str) -> list[str]:
        found = self.client.list_object_versions(Bucket=self.name, Prefix=key)
        return [item["VersionId"] for item in found.get("Versions", [])]


@pytest.fixture
def bucket(settings: Any) -> Bucket:
    """Empty, and where this test's checkpoints go: locked ones can't be cleared away after a test."""
    made = Bucket(f"checkpoints-{uuid.uuid4().hex[:12]}")
    secrets = addresses.secrets_of(SERVERS)
    settings.AUDIT = settings.AUDIT | {
        "bucket": made.name,
        # The suite's servers know its own bucket only; here the administrator's key stands for the sealer's.
        "access_key": secrets["s3_admin_key"],
        "secret_key": secrets["s3_admin_secret"],
        "retention_days": 1,
    }
    return made


@pytest.fixture
def signers(tmp_path: Path, settings: Any) -> list[Signer]:
    path = tmp_path / "audit" / "signing.key"
    made = make_keys(path, "desk-test")
    settings.AUDIT = settings.AUDIT | {
        "key_file": path,
        "public_keys": (str(made[0].verifier),),
        "public_key_file": None,
    }
    return made


@pytest.fixture
def seal(bucket: Bucket, signers: list[Signer]) -> Callable[[], Sealed]:
    return lambda: seal_round(signers)


def make_tenant(name: str = "one") -> uuid.UUID:
    tenant_id = new_id()
    owner(
        "INSERT INTO tenants (id, name, slug) VALUES (%s, %s, %s)",
        tenant_id,
        name,
        f"{name}-{tenant_id.hex[-6:]}",
    )
    return tenant_id


def write(tenant_id: uuid.UUID, rows: int = 3) -> list[uuid.UUID]:
    with tenant_transaction(tenant_id, Actor.system("test")):
        return [
            record("test.row.written", ("thing", str(n)), {"n": n, "text": 'é " \\ \n 😀', "none": None}).pk
            for n in range(rows)
        ]


def owner(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """As somebody with the owner's rights, by raw SQL."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall()) if cursor.description else []


def verify(*arguments: str) -> tuple[int, dict[str, Any]]:
    """`manage.py audit verify --json`: (exit code, what it said)."""
    out = io.StringIO()
    code = 0
    try:
        call_command("audit", "verify", "--json", *arguments, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


def codes(said: dict[str, Any]) -> set[str]:
    return {problem["code"] for problem in said["problems"]}


@pytest.fixture(autouse=True)
def close_connections() -> Iterator[None]:
    yield
    connections["sealer"].close()
