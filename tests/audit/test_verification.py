"""`manage.py audit verify` on rows that are not sealed: each that is not what was hashed is named."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import OperationalError, connections

from apps.audit.services import record
from apps.audit.verification.database import Reader
from apps.core.context import Actor, tenant_transaction
from tests.audit.conftest import Bucket, make_tenant, owner, verify

# Slow is run by one worker: the sealer waits for older transactions of the whole server, a neighbour's tests' too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]


@pytest.fixture(autouse=True)
def empty_bucket(bucket: Bucket) -> None:
    """No checkpoints anywhere."""


def trail(name: str) -> uuid.UUID:
    tenant_id = make_tenant(name)
    with tenant_transaction(tenant_id, Actor.system("test")):
        record(
            "a.first.done", ("thing", "1"), {"n": 1.10, "text": 'é " \\ \n 😀', "none": None, "list": [1, {}]}
        )
        record("a.second.done")
        record("a.third.done", ("", ""), {})
    return tenant_id


def test_an_honest_trail_has_nothing_wrong_for_a_tenant_and_for_all() -> None:
    first, _ = trail("one"), trail("two")
    code, one = verify("--tenant", str(first))
    assert (code, one["rows"], one["tenants"], one["problems"]) == (0, 3, 1, [])
    code, all_of_them = verify()
    assert (code, all_of_them["rows"]) == (0, 6)
    assert (all_of_them["sealed"], all_of_them["unsealed"]) == (0, 6)
    assert all_of_them["oldest_unsealed"] is not None
    assert "not sealed yet" in all_of_them["limits"]


def test_it_walks_over_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.audit.verification.database.BATCH", 2)
    trail("one"), trail("two")
    assert verify()[1]["rows"] == 6


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("actor = 'user:nobody'", "row-edited"),
        ("payload = '{\"n\": 2}'", "row-edited"),
        ("created_at = created_at - interval '1 microsecond'", "row-edited"),
        ("target_id = NULL", "row-edited"),
        ("leaf = sha256('x')", "leaf-wrong"),
        ("leaf = ''", "leaf-wrong"),
        ("canonical = 'x', leaf = sha256('\\x00'::bytea || 'x'::bytea)", "row-edited"),
    ],
)
def test_a_changed_row_is_named(change: str, problem: str) -> None:
    """Changed as the owner role can: leaf and canonical bytes stay what they were at the insert."""
    tenant_id = trail("one")
    ((audit_id,),) = owner(f"UPDATE audits SET {change} WHERE action = 'a.first.done' RETURNING id")
    code, said = verify()
    assert code == 1
    (found,) = said["problems"]
    assert (found["audit_id"], found["tenant_id"]) == (str(audit_id), str(tenant_id))
    assert found["code"] == problem


def test_an_unknown_tenant_is_named() -> None:
    code, said = verify("--tenant", "nobody")
    assert code == 1
    assert "nobody" in said["error"]["message"]


def test_a_bad_public_key_is_named() -> None:
    for text in ("nonsense", "name+00000000+AQ==", "name+00000000+" + "A" * 44):
        code, said = verify("--public-key", text)
        assert (code, said["error"]["field"]) == (1, "public_key")


def test_the_stream_has_the_leaf_of_every_row_as_the_trigger_hashed_it() -> None:
    """For columns of every kind and length, and not one row passes that is not as it was written."""
    tenant_id = trail("one")
    with tenant_transaction(tenant_id, Actor.system("test")):
        for payload in ({}, {"a": "x" * 70_000}, {"\\": "\t"}, {"n": 1e308, "m": -0.0, "big": 10**30}):
            record("x" * 300, ("", "\\x00"), payload)
    written = [(row[0], bytes(row[1])) for row in owner("SELECT id, leaf FROM audits ORDER BY id")]
    with Reader(tenant_id, "owner").stream(0) as stream:
        assert stream.leaves(b"".join(row.bytes for row, _ in reversed(written))) == [
            leaf for _, leaf in reversed(written)
        ]
        assert stream.leaves(b"") == []
        assert stream.leaves(uuid.uuid4().bytes) is None


def test_a_stream_that_breaks_off_is_an_error_and_not_the_end_of_the_trail() -> None:
    tenant_id = trail("one")
    owner(  # more than the sockets' buffers hold
        "INSERT INTO audits (id, tenant_id, actor, action, payload) SELECT gen_random_uuid(), %s, 'system:test',"
        " 'a.row.made', jsonb_build_object('x', repeat('x', 100000)) FROM generate_series(1, 400)",
        tenant_id,
    )
    with Reader(tenant_id, "owner").stream(0) as stream:
        ended = owner(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE '%%FORMAT BINARY%%' AND pid <> pg_backend_pid()"
        )
        assert ended == [(True,)]
        with pytest.raises(OperationalError):
            stream.leaves(bytes(16))


def test_what_the_database_puts_before_pg_catalog_is_not_asked() -> None:
    """An owner who shadows a built-in, in a schema that his database's settings put first."""
    trail("one")

    def run(*statements: str) -> None:
        with connections["owner"].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    database: Any = connections["owner"].settings_dict["NAME"]
    run(
        "CREATE SCHEMA evil",
        "CREATE FUNCTION evil.uuid_send(uuid) RETURNS bytea LANGUAGE sql AS 'SELECT ''\\x00''::bytea'",
        "GRANT USAGE ON SCHEMA evil TO PUBLIC",
        f'ALTER DATABASE "{database}" SET search_path = evil, public, pg_catalog',
    )
    connections["owner"].close()
    connections["default"].close()
    try:
        assert verify()[0] == 0
    finally:
        run(f'ALTER DATABASE "{database}" RESET search_path', "DROP SCHEMA evil CASCADE")
        connections["owner"].close()
        connections["default"].close()
