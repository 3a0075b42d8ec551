"""Artifacts against a real S3 server: the hash, the lock, the version, the tenant, and a store that goes away."""

import base64
import hashlib
import io
import os
import signal
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from django.conf import settings as django_settings

from apps.core.context import tenant_scope
from apps.core.errors import InvalidInput
from apps.evidence import artifacts
from apps.evidence.client import store_client, talking
from apps.evidence.errors import ArtifactMissing, ChecksumMismatch, StoreAway, StoreDenied, StoreRefused
from apps.evidence.keys import evidence_key
from apps.evidence.store import download_url, open_staged, put_artifact, read_artifact, stage
from governance.embedded import addresses
from tests.servers import Servers

TENANT, OTHER = uuid.uuid4(), uuid.uuid4()
BODY = b"what the cloud said\n" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def as_tenant() -> Iterator[None]:
    with tenant_scope(TENANT):
        yield


def key() -> str:
    return evidence_key(uuid.uuid4(), "state before.json")


def versions(of: str) -> list[str]:
    bucket = django_settings.EVIDENCE["bucket"]
    return [
        v["VersionId"]
        for v in store_client().list_object_versions(Bucket=bucket, Prefix=of).get("Versions", [])
    ]


def staged_leftovers() -> list[str]:
    bucket = django_settings.EVIDENCE["staging_bucket"]
    found = store_client().list_objects_v2(Bucket=bucket, Prefix=f"tenants/{TENANT}/")
    return [entry["Key"] for entry in found.get("Contents", [])]


def test_an_artifact_is_read_back_by_version_and_hash(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(BODY)
    made = put_artifact(key(), tmp_path / "a.json", "application/json")
    assert (made.sha256, made.size, made.retain_until) == (SHA256, len(BODY), None)
    assert made.path.startswith(f"tenants/{TENANT}/evidence/")
    assert made.as_manifest()["version_id"] == made.version_id != ""
    with read_artifact(made.path, made.version_id, made.sha256) as file:
        assert file.read() == BODY


def test_the_same_bytes_again_are_the_same_version_and_other_bytes_are_another() -> None:
    where = key()
    first = put_artifact(where, io.BytesIO(BODY), "text/plain")
    assert put_artifact(where, io.BytesIO(BODY), "text/plain").version_id == first.version_id
    second = put_artifact(where, io.BytesIO(BODY + b"!"), "text/plain")
    assert sorted(versions(where)) == sorted([first.version_id, second.version_id])
    with read_artifact(where, first.version_id, SHA256) as file:
        assert file.read() == BODY


def test_a_lock_holds_against_deletion_and_shortening() -> None:
    until = datetime.now(UTC) + timedelta(days=2)
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain", retain_until=until)
    assert made.retain_until == until.replace(microsecond=0)
    bucket, client = django_settings.EVIDENCE["bucket"], store_client()
    with pytest.raises(StoreDenied), talking("deleting"):
        client.delete_object(Bucket=bucket, Key=made.path, VersionId=made.version_id)
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(days=1)}
    with pytest.raises(ClientError):
        client.put_object_retention(
            Bucket=bucket, Key=made.path, VersionId=made.version_id, Retention=shorter
        )
    with read_artifact(made.path, made.version_id, SHA256) as file:
        assert file.read() == BODY


def test_an_unlocked_artifact_that_is_written_again_with_a_lock_gets_one() -> None:
    where, until = key(), datetime.now(UTC) + timedelta(days=1)
    put_artifact(where, io.BytesIO(BODY), "text/plain")
    locked = put_artifact(where, io.BytesIO(BODY), "text/plain", retain_until=until)
    assert locked.retain_until == until.replace(microsecond=0)


def test_a_lock_until_a_time_without_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="time zone"):
        put_artifact(key(), io.BytesIO(b""), "text/plain", retain_until=datetime(2030, 1, 1))  # noqa: DTZ001


def test_bytes_that_change_on_the_way_are_refused_and_nothing_is_written() -> None:
    class Torn(io.BytesIO):
        """Reads one byte differently after the hash was taken."""

        reads = 0

        def seek(self, at: int, whence: int = 0) -> int:
            if at == 0 and whence == 0:
                self.reads += 1
            if self.reads == 2:
                self.getbuffer()[5] ^= 1
                self.reads += 1
            return super().seek(at, whence)

    where = key()
    with pytest.raises(ChecksumMismatch):
        put_artifact(where, Torn(BODY), "text/plain")
    assert versions(where) == []
    assert staged_leftovers() == []


def test_another_recorded_hash_is_a_mismatch_on_every_way_out() -> None:
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain")
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(ChecksumMismatch, match=made.version_id):
        read_artifact(made.path, made.version_id, other)
    with pytest.raises(ChecksumMismatch):
        download_url(made.path, made.version_id, "a.txt", other)


def test_an_artifact_swapped_behind_our_back_is_not_what_its_version_gives() -> None:
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain")
    swapped = store_client().put_object(
        Bucket=django_settings.EVIDENCE["bucket"], Key=made.path, Body=b"swapped"
    )
    with read_artifact(made.path, made.version_id, made.sha256) as file:
        assert file.read() == BODY
    with pytest.raises(ChecksumMismatch):
        read_artifact(made.path, swapped["VersionId"], made.sha256)


def test_a_version_that_is_not_there_is_missing() -> None:
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain")
    for where, version in ((made.path, "f" * 32), (key(), made.version_id)):
        with pytest.raises(ArtifactMissing):
            read_artifact(where, version, SHA256)


def test_another_tenants_artifact_is_as_good_as_none() -> None:
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain")
    with tenant_scope(OTHER):
        for touch in (
            lambda: read_artifact(made.path, made.version_id, SHA256),
            lambda: download_url(made.path, made.version_id, "a.txt"),
            lambda: put_artifact(made.path, io.BytesIO(b"mine now"), "text/plain"),
        ):
            with pytest.raises(ArtifactMissing):
                touch()
    assert versions(made.path) == [made.version_id]


def test_a_signed_url_gives_this_version_under_its_name_and_no_other() -> None:
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain")
    put_artifact(made.path, io.BytesIO(b"newer"), "text/plain")
    url = download_url(made.path, made.version_id, 'Prüfung "Q1".txt', made.sha256)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == BODY
        disposition = answer.headers["Content-Disposition"]
    assert "filename*=UTF-8''Pr%C3%BCfung%20%22Q1%22.txt" in disposition
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.replace(made.version_id, "0" * 32))
    assert refused.value.code == 403


def test_a_url_is_signed_for_the_public_address(settings: object) -> None:
    settings.EVIDENCE = {**settings.EVIDENCE, "public_endpoint": "https://evidence.example"}  # type: ignore[attr-defined]
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain")
    assert download_url(made.path, made.version_id, "a", SHA256).startswith("https://evidence.example/")


def test_wrong_keys_are_denied_and_a_missing_bucket_or_one_without_versions_is_named(
    settings: object,
) -> None:
    right = settings.EVIDENCE  # type: ignore[attr-defined]
    settings.EVIDENCE = {**right, "secret_key": "wrong"}  # type: ignore[attr-defined]
    with pytest.raises(StoreDenied):
        put_artifact(key(), io.BytesIO(BODY), "text/plain")
    settings.EVIDENCE = {**right, "bucket": right["staging_bucket"]}  # type: ignore[attr-defined]
    with pytest.raises(StoreRefused, match="no versions"):
        put_artifact(key(), io.BytesIO(BODY), "text/plain")


def test_a_store_that_ignores_the_lock_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """SeaweedFS does so on a copy; here the lock's headers are lost on the way."""
    client = store_client()

    class Lossy:
        def __getattr__(self, name: str) -> object:
            return getattr(client, name)

        def put_object(self, **request: object) -> object:
            return client.put_object(**{k: v for k, v in request.items() if not k.startswith("ObjectLock")})

    monkeypatch.setattr(artifacts, "store_client", Lossy)
    with pytest.raises(StoreRefused, match="did not lock"):
        put_artifact(
            key(), io.BytesIO(BODY), "text/plain", retain_until=datetime.now(UTC) + timedelta(days=1)
        )


@pytest.fixture
def own_store(tmp_path: Path, settings: object) -> Iterator[Servers]:
    """A second S3 server, to be killed."""
    environ = {
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "DATABASE_OWNER_URL": os.environ["DATABASE_OWNER_URL"],
        "REDIS_URL": os.environ["REDIS_URL"],
    }
    environment = addresses.complete(tmp_path, environ)
    server = Servers(tmp_path, {addresses.POSTGRES, addresses.VALKEY}, environment)
    server.start()
    settings.EVIDENCE = {  # type: ignore[attr-defined]
        **settings.EVIDENCE,  # type: ignore[attr-defined]
        "endpoint": environment["EVIDENCE_S3_ENDPOINT"],
        "access_key": environment["AWS_ACCESS_KEY_ID"],
        "secret_key": environment["AWS_SECRET_ACCESS_KEY"],
    }
    yield server
    server.stop()


def test_a_store_killed_midway_is_away_and_after_its_return_the_work_can_be_done_again(
    own_store: Servers,
) -> None:
    where = key()
    staged = stage("big.csv", io.BytesIO(b"x" * (12 << 20)))
    reader = open_staged(staged)
    assert reader.read(10) == b"x" * 10

    class KillsTheStore(io.BytesIO):
        """The store dies once the final object is about to be sent: after hashing and staging."""

        rewinds = 0

        def seek(self, at: int, whence: int = 0) -> int:
            self.rewinds += at == 0 and whence == 0
            if self.rewinds == 3:
                kill(own_store)
            return super().seek(at, whence)

    with pytest.raises(StoreAway) as away:
        put_artifact(where, KillsTheStore(BODY), "text/plain")
    assert away.value.retryable
    for touch in (
        lambda: reader.read(8 << 20),
        lambda: stage("y", io.BytesIO(b"y")),
        lambda: open_staged(staged),
        lambda: read_artifact(where, "0" * 32, SHA256),
    ):
        with pytest.raises(StoreAway):
            touch()
    own_store.processes.clear()
    own_store.start()
    made = put_artifact(where, io.BytesIO(BODY), "text/plain")
    assert versions(where) == [made.version_id]
    with open_staged(staged) as again:
        assert hashlib.sha256(again.read()).digest() == hashlib.sha256(b"x" * (12 << 20)).digest()


def kill(server: Servers) -> None:
    (process,) = server.processes
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)


def test_sha256_that_s3_confirms_is_the_one_we_computed() -> None:
    made = put_artifact(key(), io.BytesIO(BODY), "text/plain")
    head = store_client().head_object(
        Bucket=django_settings.EVIDENCE["bucket"],
        Key=made.path,
        VersionId=made.version_id,
        ChecksumMode="ENABLED",
    )
    assert base64.b64decode(head["ChecksumSHA256"]).hex() == SHA256
