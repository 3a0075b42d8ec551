"""Uploads go to the staging bucket of the tenant and are read back as they were."""

import io
import uuid
from collections.abc import Iterator

import pytest
from django.db import transaction

from apps.core.context import tenant_scope
from apps.evidence.client import refuse_open_transaction
from apps.evidence.errors import ArtifactMissing, TransactionHeld
from apps.evidence.staging import PART_BYTES, READ_AHEAD_BYTES
from apps.evidence.store import discard_staged, open_staged, stage

# Fixed, for they are part of the names of tests, which every worker has to collect alike.
TENANT = uuid.UUID("0b8a3f52-6f0e-4f0a-9d55-3f2c1a7e9d01")
OTHER = uuid.UUID("7c1d2e94-2b7b-4c55-8f0c-5a0e6b9d4f02")


@pytest.fixture(autouse=True)
def as_tenant() -> Iterator[None]:
    with tenant_scope(TENANT):
        yield


class Counted(io.RawIOBase):
    """A stream without seek or length, as an upload may be; it remembers the most it was asked for at once."""

    def __init__(self, size: int) -> None:
        self.left, self.most = size, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.most = max(self.most, size if size >= 0 else self.left)
        given = self.left if size < 0 else min(size, self.left)
        self.left -= given
        return b"x" * given


def test_staged_bytes_come_back_under_a_safe_name() -> None:
    key = stage("../../etc/pass wd.csv", io.BytesIO(b"a,b\n1,2\n"))
    assert key.startswith(f"tenants/{TENANT}/staging/")
    assert key.endswith("/pass-wd.csv")
    with open_staged(key) as file:
        assert file.readline() == b"a,b\n"
        assert file.read() == b"1,2\n"
        file.seek(2)
        assert file.read(1) == b"b"


def test_an_empty_file_is_staged_and_reads_as_empty() -> None:
    with open_staged(stage("empty", io.BytesIO(b""))) as file:
        assert file.read() == b""


def test_a_stream_of_many_parts_is_never_taken_whole_and_reads_back_over_many_ranges() -> None:
    size = 2 * PART_BYTES + 12_345
    assert size > 3 * READ_AHEAD_BYTES
    stream = Counted(size)
    key = stage("big.bin", stream)
    assert stream.most <= PART_BYTES
    assert not stream.closed
    with open_staged(key) as file:
        seen = 0
        while chunk := file.read(1_000_003):
            assert chunk == b"x" * len(chunk)
            seen += len(chunk)
        assert seen == size


def test_another_tenants_key_is_as_good_as_none() -> None:
    key = stage("mine", io.BytesIO(b"secret"))
    with tenant_scope(OTHER):
        for touch in (open_staged, discard_staged):
            with pytest.raises(ArtifactMissing):
                touch(key)
    with open_staged(key) as file:
        assert file.read() == b"secret"


@pytest.mark.parametrize(
    "key",
    [
        f"tenants/{TENANT}/staging/../../{OTHER}/staging/x/y",
        f"tenants/{TENANT}/evidence/a/b",
        f"/tenants/{TENANT}/staging/x/y",
        f"tenants/{TENANT}/staging//y",
        "",
    ],
)
def test_a_key_outside_the_tenants_staging_is_refused(key: str) -> None:
    with pytest.raises(ArtifactMissing):
        open_staged(key)


def test_a_discarded_file_is_missing_and_discarding_it_again_is_no_error() -> None:
    key = stage("gone", io.BytesIO(b"x"))
    discard_staged(key)
    discard_staged(key)
    with pytest.raises(ArtifactMissing):
        open_staged(key)


@pytest.mark.django_db
def test_the_transaction_that_wraps_a_test_is_none_of_ours_but_one_below_it_is() -> None:
    refuse_open_transaction()
    with transaction.atomic(), pytest.raises(TransactionHeld):
        stage("x", io.BytesIO(b""))


@pytest.mark.django_db(transaction=True)
def test_no_transaction_may_be_open_while_a_staged_file_is_read() -> None:
    key = stage("small", io.BytesIO(b"abc"))
    file = open_staged(key)
    with transaction.atomic(), pytest.raises(TransactionHeld):
        file.read(1)
    assert file.read() == b"abc"
