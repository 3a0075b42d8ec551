"""Proofs, checkpoints and verification on the API, on their page and as a job."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from apps.audit.keys import Signer
from apps.audit.tlog import parse_checkpoint, verify_consistency, verify_inclusion
from apps.core.context import tenant_transaction
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.audit.conftest import owner, write
from tests.fixtures.clients import browser

# Slow is run by one worker: the sealer waits for older transactions of the whole server, a neighbour's tests' too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]


@pytest.fixture
def viewer(users: dict[Role, User]) -> User:
    return users[Role.VIEWER]


@pytest.fixture
def rows(viewer: User, seal: Callable[[], Any]) -> list[uuid.UUID]:
    """Sealed in two checkpoints."""
    first = write(viewer.tenant_id, 300)
    seal()
    second = write(viewer.tenant_id, 7)
    seal()
    return [*first, *second]


def test_a_row_is_proven_to_be_in_a_signed_checkpoint(
    viewer: User, rows: list[uuid.UUID], signers: list[Signer]
) -> None:
    client = browser(viewer)
    for audit_id in (rows[0], rows[255], rows[-1]):
        proof = client.get(f"/api/v1/audits/{audit_id}/proof/").json()
        checkpoint = parse_checkpoint(proof["checkpoint"].encode())
        assert checkpoint.signed_by(signers[0].verifier)
        path = [bytes.fromhex(node) for node in proof["path"]]
        leaf = bytes.fromhex(proof["leaf"])
        assert verify_inclusion(leaf, proof["index"], proof["size"], path, checkpoint.root)
        assert client.get(f"/api/v1/audits/{audit_id}/").json()["leaf"] == proof["leaf"]


def test_a_checkpoint_is_proven_to_follow_an_earlier_one(viewer: User, rows: list[uuid.UUID]) -> None:
    client = browser(viewer)
    second, first = (found["size"] for found in client.get("/api/v1/audits/checkpoints/").json()["results"])
    proof = client.get(f"/api/v1/audits/checkpoints/consistency/?first={first}&second={second}").json()
    old, new = (parse_checkpoint(proof[name].encode()) for name in ("first", "second"))
    path = [bytes.fromhex(node) for node in proof["path"]]
    assert verify_consistency(first, second, path, old.root, new.root)


def test_what_can_not_be_proven_is_said(viewer: User, rows: list[uuid.UUID]) -> None:
    client = browser(viewer)
    (late,) = write(viewer.tenant_id, 1)
    response = client.get(f"/api/v1/audits/{late}/proof/")
    assert (response.status_code, "not sealed yet" in response.json()["detail"]) == (409, True)
    response = client.get(f"/api/v1/audits/{rows[0]}/proof/?size=999")
    assert (response.status_code, "size" in response.json()["errors"]) == (400, True)
    response = client.get("/api/v1/audits/checkpoints/consistency/?first=1&second=x")
    assert (response.status_code, "second" in response.json()["errors"]) == (400, True)
    owner("UPDATE audit_leaves SET leaf = sha256('x') WHERE tenant_id = %s AND seq = 258", viewer.tenant_id)
    size = client.get("/api/v1/audits/checkpoints/?ordering=size").json()["results"][0]["size"]
    response = client.get(f"/api/v1/audits/{rows[0]}/proof/?size={size}")
    assert "audit-proof-broken" in response.content.decode()


def test_a_proof_reads_a_few_hundred_hashes_of_a_large_tree(
    viewer: User, seal: Callable[[], Any], django_assert_max_num_queries: Any
) -> None:
    owner(
        "INSERT INTO audits (id, tenant_id, actor, action)"
        " SELECT gen_random_uuid(), %s, 'system:x', 'a.b.c' FROM generate_series(1, 70000)",
        viewer.tenant_id,
    )
    seal()
    ((audit_id,),) = owner(
        "SELECT audit_id FROM audit_leaves WHERE tenant_id = %s AND seq = 40000", viewer.tenant_id
    )
    with django_assert_max_num_queries(60) as asked:
        assert browser(viewer).get(f"/api/v1/audits/{audit_id}/proof/").status_code == 200
    assert asked


def test_the_page_verifies_by_a_job_and_names_what_is_wrong(viewer: User, rows: list[uuid.UUID]) -> None:
    client = browser(viewer)
    page = client.get("/audit/seal/").content.decode()
    assert "Nothing is sealed" not in page
    sealed = owner("SELECT size FROM audit_chains WHERE tenant_id = %s", viewer.tenant_id)[0][0]
    assert f"<dt>Rows sealed</dt><dd>{sealed}</dd>" in page
    assert client.post("/audit/seal/verify/").status_code == 302
    assert "Nothing is wrong" in _verified(client, viewer)
    owner("UPDATE audits SET actor = 'user:nobody' WHERE id = %s", rows[3])
    client.post("/audit/seal/verify/")
    page = _verified(client, viewer)
    assert f"row {rows[3]}, place" in page
    assert "was edited" in page
    assert "1 thing is wrong" in page
    response = client.post("/api/v1/audits/verifications/")
    assert response.status_code == 202


def _verified(client: Any, viewer: User) -> str:
    with tenant_transaction(viewer.tenant_id):
        job = Job.objects.filter(type="audit.verify").latest("created_at")
    done = run_job(viewer.tenant_id, job.pk)
    assert done is not None
    assert (done.status, done.error) == ("succeeded", "")
    connection.close()
    return str(client.get("/audit/seal/").content.decode())
