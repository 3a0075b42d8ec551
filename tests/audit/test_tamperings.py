"""The chaos list, by the owner's SQL and raw access to the store: `audit verify` names each, and where."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from apps.audit.keys import Signer, make_keys
from apps.audit.sealing.notes import Previous, tenant_note
from apps.audit.sealing.rounds import seal_round
from apps.audit.tlog import parse_checkpoint
from tests.audit.conftest import Bucket, codes, make_tenant, owner, verify, write

# Slow is run by one worker: the sealer waits for older transactions of the whole server, a neighbour's tests' too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]

REWRITE = """
UPDATE audits SET action = 'nothing.happened', canonical = audit_canonical(
    id, tenant_id, created_at, actor, 'nothing.happened', target_type, target_id, payload),
  leaf = sha256('\\x00'::bytea || audit_canonical(
    id, tenant_id, created_at, actor, 'nothing.happened', target_type, target_id, payload))
WHERE id = %s RETURNING leaf
"""


@pytest.fixture
def tenant(seal: Callable[[], Any]) -> uuid.UUID:
    """Twelve rows sealed in three checkpoints, beside an honest neighbour."""
    one, two = make_tenant("one"), make_tenant("two")
    for _ in range(3):
        write(one, 4), write(two, 2)
        seal()
    code, said = verify()
    assert (code, said["problems"], said["sealed"], said["unsealed"]) == (0, [], 18, 0)
    return one


def row_at(tenant_id: uuid.UUID, seq: int) -> uuid.UUID:
    ((audit_id,),) = owner(
        "SELECT audit_id FROM audit_leaves WHERE tenant_id = %s AND seq = %s", tenant_id, seq
    )
    return audit_id


def verified(tenant_id: uuid.UUID) -> list[dict[str, Any]]:
    """What is wrong, told alike for all tenants and for this one; the neighbour is never blamed."""
    (code, said), (code_alone, alone) = verify(), verify("--tenant", str(tenant_id))
    assert (code, code_alone) == (1, 1)
    assert {p["tenant_id"] for p in said["problems"]} <= {str(tenant_id), ""}
    assert codes(alone) <= codes(said)
    return list(said["problems"])


def test_a_row_edited(tenant: uuid.UUID) -> None:
    audit_id = row_at(tenant, 5)
    owner("UPDATE audits SET actor = 'user:nobody' WHERE id = %s", audit_id)
    (problem,) = verified(tenant)
    assert (problem["code"], problem["audit_id"]) == ("row-edited", str(audit_id))
    assert "place 5" in problem["where"]


def test_a_row_rewritten_with_its_hash(tenant: uuid.UUID) -> None:
    audit_id = row_at(tenant, 5)
    owner(REWRITE, audit_id)
    (problem,) = verified(tenant)
    assert (problem["code"], problem["audit_id"]) == ("row-rewritten", str(audit_id))


def test_a_row_rewritten_with_its_hash_and_its_place(tenant: uuid.UUID) -> None:
    """Everything in the database fits; what is in the store does not."""
    audit_id = row_at(tenant, 5)
    ((leaf,),) = owner(REWRITE, audit_id)
    owner("UPDATE audit_leaves SET leaf = %s WHERE tenant_id = %s AND seq = 5", bytes(leaf), tenant)
    (problem,) = verified(tenant)
    assert (problem["code"], problem["where"]) == ("tree", "places 4 to 7")
    assert "size 8" in problem["what"]


def test_a_place_changed_under_an_honest_row(tenant: uuid.UUID) -> None:
    owner("UPDATE audit_leaves SET leaf = sha256('x') WHERE tenant_id = %s AND seq = 5", tenant)
    (problem,) = verified(tenant)
    assert (problem["code"], problem["audit_id"]) == ("place-changed", str(row_at(tenant, 5)))


def test_a_row_deleted(tenant: uuid.UUID) -> None:
    owner("DELETE FROM audits WHERE id IN (%s, %s)", row_at(tenant, 5), row_at(tenant, 6))
    (problem,) = verified(tenant)
    assert (problem["code"], problem["where"]) == ("row-deleted", "places 5 to 6")
    assert "2 sealed rows" in problem["what"]


def test_a_row_deleted_with_its_place(tenant: uuid.UUID) -> None:
    owner("DELETE FROM audits WHERE id = %s", row_at(tenant, 5))
    owner("DELETE FROM audit_leaves WHERE tenant_id = %s AND seq = 5", tenant)
    found = {problem["code"]: problem["where"] for problem in verified(tenant)}
    assert found["row-deleted"] == "place 5"
    assert found["tree"] == "places 4 to 7"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("canonical = canonical || '\\x00'::bytea", "row-edited"),
        ("canonical = '\\x'::bytea", "row-edited"),
        ("actor = actor || 'x', payload = '{\"n\": 1}'", "row-edited"),
    ],
)
def test_a_sealed_row_whose_leaf_still_stands(tenant: uuid.UUID, change: str, problem: str) -> None:
    """Columns or canonical bytes are others, their hash is the one that was sealed."""
    audit_id = row_at(tenant, 5)
    owner(f"UPDATE audits SET {change} WHERE id = %s", audit_id)
    found = verified(tenant)
    assert {(each["code"], each["audit_id"]) for each in found} >= {(problem, str(audit_id))}
    assert {each["audit_id"] for each in found} == {str(audit_id)}


def test_a_row_given_to_another_tenant(tenant: uuid.UUID) -> None:
    other = make_tenant("three")
    owner("UPDATE audits SET tenant_id = %s WHERE id = %s", other, row_at(tenant, 5))
    code, said = verify("--tenant", str(tenant))
    assert (code, [(each["code"], each["where"]) for each in said["problems"]]) == (
        1,
        [("row-deleted", "place 5")],
    )


def no_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an honest batch was read row by row")

    monkeypatch.setattr("apps.audit.verification.database.Reader.rows", refuse)


def test_rows_that_come_in_another_order_than_they_were_sealed_in(
    tenant: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump restored into another cluster, where transactions are counted anew. In bulk, unless it is too far ahead."""
    monkeypatch.setattr("apps.audit.verification.database.BATCH", 3)
    owner(
        "UPDATE audits a SET xid = (1000 - l.seq)::text::xid8 FROM audit_leaves l"
        " WHERE l.audit_id = a.id AND a.tenant_id = %s",
        tenant,
    )
    monkeypatch.setattr("apps.audit.verification.stream.AHEAD", 2)
    code, said = verify()
    assert (code, said["problems"], said["sealed"]) == (0, [], 18)
    monkeypatch.setattr("apps.audit.verification.stream.AHEAD", 100)
    no_row_by_row(monkeypatch)
    assert verify()[0] == 0


def test_many_rows_of_one_transaction_under_ids_of_any_order(
    seal: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = make_tenant("bulk")
    owner(
        "INSERT INTO audits (id, tenant_id, actor, action)"
        " SELECT gen_random_uuid(), %s, 'system:test', 'a.row.made' FROM generate_series(1, 50)",
        tenant_id,
    )
    seal()
    write(tenant_id, 3)
    seal()
    monkeypatch.setattr("apps.audit.verification.database.BATCH", 7)
    no_row_by_row(monkeypatch)
    code, said = verify("--tenant", str(tenant_id))
    assert (code, said["problems"], said["sealed"]) == (0, [], 53)


def test_behind_a_deleted_row_the_rest_is_still_read_in_bulk(
    tenant: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.audit.verification.database import Reader

    monkeypatch.setattr("apps.audit.verification.database.BATCH", 3)
    asked: list[int] = []
    rows = Reader.rows
    monkeypatch.setattr(
        Reader, "rows", lambda self, first, end: asked.append(first) or rows(self, first, end)
    )
    owner("DELETE FROM audits WHERE id = %s", row_at(tenant, 5))
    assert {each["code"] for each in verify("--tenant", str(tenant))[1]["problems"]} == {"row-deleted"}
    assert asked == [3]


def test_a_place_far_beyond_the_trails_end(tenant: uuid.UUID) -> None:
    """It is one row too many, not a trail of 2**50 places to be walked through."""
    owner(
        "INSERT INTO audit_leaves (tenant_id, seq, audit_id, leaf) SELECT tenant_id, 1::bigint << 50, %s, leaf"
        " FROM audit_leaves WHERE tenant_id = %s AND seq = 5",
        uuid.uuid4(),
        tenant,
    )
    assert {(each["code"], each["where"]) for each in verified(tenant)} == {("row-deleted", "place 12")}


def test_a_row_slipped_in_behind(tenant: uuid.UUID) -> None:
    audit_id = uuid.uuid4()
    owner(
        "INSERT INTO audits (id, tenant_id, actor, action) VALUES (%s, %s, 'user:x', 'a.b.c')",
        audit_id,
        tenant,
    )
    owner("UPDATE audits SET xid = '5' WHERE id = %s", audit_id)
    (problem,) = verified(tenant)
    assert (problem["code"], problem["audit_id"]) == ("row-slipped-in", str(audit_id))


def test_a_row_slipped_in_behind_that_is_not_whole(tenant: uuid.UUID) -> None:
    """Neither it nor an edited row comes out of the stream: they are counted then, and looked for."""
    audit_id, edited = uuid.uuid4(), row_at(tenant, 5)
    owner(
        "INSERT INTO audits (id, tenant_id, actor, action) VALUES (%s, %s, 'user:x', 'a.b.c')",
        audit_id,
        tenant,
    )
    owner("UPDATE audits SET xid = '5', actor = 'user:y' WHERE id = %s", audit_id)
    owner("UPDATE audits SET actor = 'user:nobody' WHERE id = %s", edited)
    told = {(problem["code"], problem["audit_id"]) for problem in verified(tenant)}
    assert told == {
        ("row-edited", str(edited)),
        ("row-edited", str(audit_id)),
        ("row-slipped-in", str(audit_id)),
    }


def cut_tail(tenant_id: uuid.UUID) -> None:
    owner(
        "DELETE FROM audits WHERE id IN (SELECT audit_id FROM audit_leaves WHERE tenant_id = %s AND seq >= 8)",
        tenant_id,
    )
    owner("DELETE FROM audit_leaves WHERE tenant_id = %s AND seq >= 8", tenant_id)
    owner("UPDATE audit_chains SET size = 8 WHERE tenant_id = %s", tenant_id)


def test_the_tail_cut(tenant: uuid.UUID) -> None:
    cut_tail(tenant)
    (problem,) = verified(tenant)
    assert (problem["code"], problem["where"]) == ("tail-cut", "places 8 to 11")
    assert "4 rows" in problem["what"]


def test_an_older_backup_restored(tenant: uuid.UUID) -> None:
    """The database is whole and honest, as of an earlier day."""
    cut_tail(tenant)
    owner("DELETE FROM audit_checkpoints WHERE tenant_id = %s AND size > 8", tenant)
    found = {problem["code"]: problem for problem in verified(tenant)}
    assert "older backup" in found["trail-behind"]["what"]
    assert found["trail-behind"]["where"] == "places 8 to 11"


def test_a_whole_tenant_removed(tenant: uuid.UUID) -> None:
    owner("DELETE FROM audits WHERE tenant_id = %s", tenant)
    owner("DELETE FROM tenants WHERE id = %s", tenant)
    (problem,) = verified(tenant)
    assert problem["code"] == "trail-missing"
    assert str(tenant) == problem["tenant_id"]


def test_all_rows_of_a_tenant_removed(tenant: uuid.UUID) -> None:
    for table in ("audits", "audit_leaves", "audit_nodes", "audit_chains", "audit_checkpoints"):
        owner(f"DELETE FROM {table} WHERE tenant_id = %s", tenant)
    (problem,) = verified(tenant)
    assert problem["code"] == "trail-missing"


def test_a_fork_another_history_sealed_over_the_first(
    tenant: uuid.UUID, bucket: Bucket, signers: list[Signer]
) -> None:
    """With the database and the key in hand: the last four rows sealed anew, other than they were."""
    audit_id = row_at(tenant, 9)
    owner(REWRITE, audit_id)
    owner("DELETE FROM audit_leaves WHERE tenant_id = %s AND seq >= 8", tenant)
    owner("DELETE FROM audit_checkpoints WHERE tenant_id = %s AND size > 8", tenant)
    peaks = parse_checkpoint(bucket.read(bucket.objects(f"tenants/{tenant}/")[1])).root
    ((xid,),) = owner("SELECT xid::text FROM audits WHERE id = %s", row_at(tenant, 7))
    owner(
        "UPDATE audit_chains SET size = 8, peaks = %s, read_xid = %s::xid8, read_id = %s WHERE tenant_id = %s",
        peaks, xid, row_at(tenant, 7), tenant,
    )  # fmt: skip
    sealed = seal_round(signers)
    assert "another checkpoint of the same size" in sealed.refused[0] or "does not know" in sealed.refused[0]
    # The sealer refuses. So it is done by hand: a note of the other history, put over the first.
    key = bucket.objects(f"tenants/{tenant}/")[2]
    first = parse_checkpoint(bucket.read(key))
    before = bucket.read(bucket.objects(f"tenants/{tenant}/")[1]).decode()
    ((now,),) = owner("SELECT now()")
    other = tenant_note(tenant, first.size, b"\x01" * 32, Previous.of((8, before)), now, signers)
    bucket.write(key, other.encode())
    found = {problem["code"]: problem for problem in verified(tenant)}
    assert found["checkpoint-replaced"]["where"] == key
    assert "history forked" in found["checkpoint-replaced"]["what"]


def test_two_trees_whose_checkpoints_do_not_follow_each_other(
    tenant: uuid.UUID, bucket: Bucket, signers: list[Signer]
) -> None:
    ((now,),) = owner("SELECT now()")
    third = bucket.read(bucket.objects(f"tenants/{tenant}/")[2]).decode()
    other = tenant_note(tenant, 15, b"\x01" * 32, Previous.of((12, third)), now, signers)
    bucket.write(f"tenants/{tenant}/checkpoints/{15:020d}", other.encode())
    write(tenant, 3)
    found = {problem["code"] for problem in verified(tenant)}
    assert "trail-behind" in found
    assert str(tenant) in seal_round(signers).refused[0]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_checkpoint_replaced(tenant: uuid.UUID, bucket: Bucket, which: int) -> None:
    key = bucket.objects(f"tenants/{tenant}/")[which]
    bucket.write(key, bucket.read(key).replace(b"time 2", b"time 1"))
    problems = verified(tenant)
    assert [(p["code"], p["where"]) for p in problems] == [("checkpoint-replaced", key)]


def test_a_checkpoint_hidden(tenant: uuid.UUID, bucket: Bucket) -> None:
    key = bucket.objects(f"tenants/{tenant}/")[1]
    bucket.delete(key)
    assert [(p["code"], p["where"]) for p in verified(tenant)] == [("checkpoint-hidden", key)]


def copy_bucket(settings: Any, bucket: Bucket, change: Callable[[str, bytes], bytes | None]) -> Bucket:
    """The same objects in a store where somebody could overwrite and remove locked ones."""
    other = Bucket(f"copy-{uuid.uuid4().hex[:12]}")
    for key in bucket.objects():
        if (content := change(key, bucket.read(key))) is not None:
            other.write(key, content)
    settings.AUDIT = settings.AUDIT | {"bucket": other.name}
    return other


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ((b"time 2", b"time 1"), {"signature", "checkpoint-link", "checkpoint-differs"}),
        ((b"\n8\n", b"\n9\n"), {"checkpoint-misplaced"}),
        ((b"desk-test/tenants", b"desk test/tenants"), {"signature"}),
        ((b"\n\n", b"\n"), {"checkpoint-malformed", "checkpoint-missing"}),
    ],
)
def test_a_checkpoint_edited_where_the_lock_did_not_hold(
    tenant: uuid.UUID, bucket: Bucket, settings: Any, replaced: tuple[bytes, bytes], expected: set[str]
) -> None:
    key = bucket.objects(f"tenants/{tenant}/")[1]
    copy_bucket(settings, bucket, lambda k, body: body.replace(*replaced) if k == key else body)
    assert expected <= {problem["code"] for problem in verified(tenant)}


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_checkpoint_removed_where_the_lock_did_not_hold(
    tenant: uuid.UUID, bucket: Bucket, settings: Any, which: int
) -> None:
    key = bucket.objects(f"tenants/{tenant}/")[which]
    copy_bucket(settings, bucket, lambda k, body: None if k == key else body)
    found = {problem["code"] for problem in verified(tenant)}
    assert "checkpoint-missing" in found


def test_a_signature_by_somebody_elses_key_of_the_same_name(
    tenant: uuid.UUID, bucket: Bucket, settings: Any, tmp_path: Any
) -> None:
    stranger = make_keys(tmp_path / "stranger", "desk-test")
    key = bucket.objects(f"tenants/{tenant}/")[2]
    first = parse_checkpoint(bucket.read(key))

    def signed_anew(k: str, body: bytes) -> bytes:
        if k != key:
            return body
        return first.text + b"\n" + stranger[0].signature_line(first.text).encode()

    copy_bucket(settings, bucket, signed_anew)
    assert {"signature", "checkpoint-differs"} <= {problem["code"] for problem in verified(tenant)}


def test_the_platforms_log_changed(tenant: uuid.UUID, bucket: Bucket, settings: Any) -> None:
    key = bucket.objects("platform/")[1]
    gone = f"entry tenant {tenant}".encode()

    def without(k: str, body: bytes) -> bytes:
        if k != key:
            return body
        return b"\n".join(line for line in body.split(b"\n") if not line.startswith(gone))

    copy_bucket(settings, bucket, without)
    code, said = verify()
    assert code == 1
    assert {"platform-tree", "signature", "platform-missing"} <= codes(said)


def test_a_tenant_removed_everywhere_but_from_the_platforms_log(
    tenant: uuid.UUID, bucket: Bucket, settings: Any
) -> None:
    owner("DELETE FROM tenants WHERE id = %s", tenant)
    copy_bucket(settings, bucket, lambda k, body: None if str(tenant) in k else body)
    code, said = verify()
    assert code == 1
    assert {(p["code"], p["tenant_id"]) for p in said["problems"]} == {("checkpoint-missing", str(tenant))}


def test_no_public_key_is_no_proof(tenant: uuid.UUID, settings: Any) -> None:
    settings.AUDIT = settings.AUDIT | {"public_keys": ()}
    code, said = verify("--tenant", str(tenant))
    assert (code, codes(said)) == (1, {"signature"})
    assert "no public key is given" in said["problems"][0]["what"]


def test_the_words_name_tenant_place_and_time(tenant: uuid.UUID, capsys: Any) -> None:
    from django.core.management import call_command

    owner("UPDATE audits SET actor = 'user:nobody' WHERE id = %s", row_at(tenant, 5))
    with pytest.raises(SystemExit):
        call_command("audit", "verify")
    said = capsys.readouterr().out
    assert f"WRONG  tenant {tenant}: row {row_at(tenant, 5)}, place 5" in said
    assert "was edited" in said
    assert "1 problems" in said


def test_from_a_kept_checkpoint_only_what_is_newer_is_read(
    tenant: uuid.UUID, bucket: Bucket, tmp_path: Any
) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(bucket.read(bucket.objects(f"tenants/{tenant}/")[1]))
    code, said = verify("--tenant", str(tenant), "--since", str(kept))
    assert (code, said["problems"], said["rows"], said["checkpoints"]) == (0, [], 4, 1)
    owner("UPDATE audits SET actor = 'x' WHERE id = %s", row_at(tenant, 9))
    assert verify("--tenant", str(tenant), "--since", str(kept))[0] == 1
    owner("UPDATE audit_leaves SET leaf = sha256('x') WHERE tenant_id = %s AND seq = 2", tenant)
    code, said = verify("--tenant", str(tenant), "--since", str(kept))
    assert (code, said["error"]["field"]) == (1, "since")
    kept.write_bytes(kept.read_bytes().replace(b"time 2", b"time 1"))
    assert "not signed" in verify("--tenant", str(tenant), "--since", str(kept))[1]["error"]["message"]


def test_verifying_beside_a_working_sealer_names_nothing(tenant: uuid.UUID, signers: list[Signer]) -> None:
    import threading

    stop = threading.Event()

    def sealing() -> None:
        while not stop.is_set():
            seal_round(signers)
        connections.close_all()

    thread = threading.Thread(target=sealing)
    thread.start()
    try:
        for _ in range(8):
            write(tenant, 2)
            code, said = verify()
            assert (code, json.dumps(said["problems"])) == (0, "[]")
            code, said = verify("--tenant", str(tenant))
            assert (code, json.dumps(said["problems"])) == (0, "[]")
    finally:
        stop.set()
        thread.join()
