"""The sealer: dense places, incremental trees, checkpoints in the store, and no fork however it is disturbed."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connections

from apps.audit.keys import Signer, read_keys, retire_keys, rotate_keys
from apps.audit.sealing import platform, rounds, tenant
from apps.audit.sealing.rounds import seal_round
from apps.audit.tlog import parse_checkpoint, root_of
from tests.audit.conftest import Bucket, codes, make_tenant, owner, verify, write

# Slow is run by one worker: the sealer waits for older transactions of the whole server, a neighbour's tests' too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]


def places(tenant_id: uuid.UUID) -> list[tuple[int, uuid.UUID, bytes]]:
    rows = owner("SELECT seq, audit_id, leaf FROM audit_leaves WHERE tenant_id = %s ORDER BY seq", tenant_id)
    return [(seq, audit_id, bytes(leaf)) for seq, audit_id, leaf in rows]


def test_rows_get_dense_places_and_the_checkpoint_in_the_store_has_their_root(
    bucket: Bucket, seal: Callable[[], Any], signers: list[Signer]
) -> None:
    one, two = make_tenant("one"), make_tenant("two")
    first = write(one, 5)
    write(two, 2)
    assert (seal().leaves, seal().leaves) == (7, 0)
    second = write(one, 4)
    assert seal().leaves == 4
    sealed = places(one)
    assert [seq for seq, *_ in sealed] == list(range(9))
    assert [audit_id for _, audit_id, _ in sealed] == sorted(first) + sorted(second)
    notes = bucket.objects(f"tenants/{one}/")
    assert [key.rsplit("/", 1)[1] for key in notes] == [f"{5:020d}", f"{9:020d}"]
    checkpoint = parse_checkpoint(bucket.read(notes[1]))
    assert checkpoint.origin == f"desk-test/tenants/{one}"
    assert (checkpoint.size, checkpoint.root) == (9, root_of(leaf for *_, leaf in sealed))
    assert checkpoint.signed_by(signers[0].verifier)


def test_each_checkpoint_names_the_one_before_and_the_platforms_log_names_them_all(
    bucket: Bucket, seal: Callable[[], Any]
) -> None:
    one, two = make_tenant("one"), make_tenant("two")
    write(one), write(two)
    seal()
    write(one)
    seal()
    _, second = (bucket.read(key) for key in bucket.objects(f"tenants/{one}/"))
    assert (parse_checkpoint(second).extension("previous") or "").startswith("3 ")
    platform = [parse_checkpoint(bucket.read(key)) for key in bucket.objects("platform/")]
    assert [checkpoint.size for checkpoint in platform] == [2, 3]
    entries = [line for checkpoint in platform for line in checkpoint.extensions if line.startswith("entry")]
    assert {line.split(" ")[2] for line in entries} == {str(one), str(two)}
    root = base64.b64encode(parse_checkpoint(second).root).decode()
    assert entries[-1] == f"entry tenant {one} 6 {root}"


def test_what_is_in_the_store_is_locked(bucket: Bucket, seal: Callable[[], Any]) -> None:
    write(make_tenant())
    seal()
    for key in bucket.objects():
        head = bucket.client.head_object(Bucket=bucket.name, Key=key)
        assert head["ObjectLockMode"] == "COMPLIANCE"
        with pytest.raises(bucket.client.exceptions.ClientError):
            bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=head["VersionId"])


def test_many_small_batches_give_the_tree_of_one_large(
    bucket: Bucket, seal: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant, "BATCH", 7)
    one = make_tenant()
    write(one, 300)
    assert seal().checkpoints == 43
    sealed = places(one)
    last = parse_checkpoint(bucket.read(bucket.objects(f"tenants/{one}/")[-1]))
    assert (last.size, last.root) == (300, root_of(leaf for *_, leaf in sealed))
    assert owner("SELECT level, position FROM audit_nodes WHERE tenant_id = %s", one) == [(8, 0)]
    assert verify()[0] == 0


def raw_connection() -> psycopg.Connection[Any]:
    settings = connections["default"].settings_dict | {"NAME": connections["owner"].settings_dict["NAME"]}
    return psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"],
    )


def test_a_long_transaction_neither_forks_nor_loses_a_leaf(seal: Callable[[], Any]) -> None:
    """It began before rows that are sealed first, and commits after: its row comes in later, and once."""
    one = make_tenant()
    with raw_connection() as slow:
        slow.execute("SELECT set_config('rls.tenant_id', %s, true)", [str(one)])
        late = uuid.uuid4()
        slow.execute(
            "INSERT INTO audits (id, tenant_id, actor, action) VALUES (%s, %s, 'system:slow', 'a.b.c')",
            [late, one],
        )
        quick = write(one, 4)
        # Rows of later transactions wait for it: nothing may be given a place that a decided row should have.
        assert seal().leaves == 0
        assert verify()[1]["unsealed"] == 4
        slow.commit()
    assert seal().leaves == 5
    assert {audit_id for _, audit_id, _ in places(one)} == {late, *quick}
    assert verify()[0] == 0


def test_two_sealers_at_once_seal_each_row_once(bucket: Bucket, signers: list[Signer]) -> None:
    tenants = [make_tenant(f"t{n}") for n in range(3)]
    stop, failures = threading.Event(), []

    def sealer() -> None:
        try:
            while not stop.is_set():
                seal_round(signers)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=sealer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(12):
        for one in tenants:
            write(one, 3)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    seal_round(signers)
    for one in tenants:
        assert [seq for seq, *_ in places(one)] == list(range(36))
    code, said = verify()
    assert (code, said["problems"], said["sealed"]) == (0, [], 108)


class Killed(BaseException):
    """As a kill does: nothing of ours catches it."""


@pytest.mark.parametrize("moment", range(1, 9))
def test_killed_at_any_step_the_next_one_goes_on(
    moment: int, bucket: Bucket, signers: list[Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_tenant()
    write(one, 3)
    seal_round(signers)
    write(one, 2)
    _kill_at(moment, monkeypatch)
    with pytest.raises(Killed):
        seal_round(signers)
    monkeypatch.undo()
    connections["sealer"].close()
    write(one, 1)
    seal_round(signers)
    assert [seq for seq, *_ in places(one)] == list(range(6))
    code, said = verify()
    assert (code, said["problems"], said["unsealed"]) == (0, [], 0)
    assert all(len(bucket.versions(key)) == 1 for key in bucket.objects())


def _kill_at(moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die at the n-th of: before and after each change of the database and each write to the store."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == moment:
            raise Killed

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            step()
            result = function(*args, **kwargs)
            step()
            return result

        return wrapped

    monkeypatch.setattr(tenant, "take", around(tenant.take))
    monkeypatch.setattr(tenant, "anchor", around(tenant.anchor))
    monkeypatch.setattr(platform, "take", around(platform.take))
    monkeypatch.setattr(platform, "anchor", around(platform.anchor))


def test_an_older_database_does_not_seal_on(bucket: Bucket, seal: Callable[[], Any]) -> None:
    """The store knows a checkpoint that the database lost: a second history is not signed, and is said why."""
    one, two = make_tenant("one"), make_tenant("two")
    write(one, 3), write(two, 1)
    seal()
    write(one, 2)
    seal()
    for table in ("audit_checkpoints", "audit_leaves"):
        column = "size" if table == "audit_checkpoints" else "seq"
        owner(f"DELETE FROM {table} WHERE tenant_id = %s AND {column} > 3", one)
    owner("UPDATE audit_chains SET size = 3 WHERE tenant_id = %s", one)
    write(one, 4), write(two, 1)
    sealed = seal()
    assert sealed.leaves == 1
    assert any(str(one) in refused and "older backup" in refused for refused in sealed.refused)
    assert len(bucket.objects(f"tenants/{one}/")) == 2


def test_a_row_of_another_cluster_is_sealed_too(seal: Callable[[], Any]) -> None:
    """A dump restored into a new cluster brings transaction ids that this one has not reached."""
    one = make_tenant()
    write(one, 2)
    seal()
    write(one, 2)
    owner("UPDATE audits SET xid = (xid::text::bigint + 1000000000)::text::xid8")
    owner("UPDATE audit_chains SET read_xid = (read_xid::text::bigint + 1000000000)::text::xid8")
    assert seal().leaves == 2
    write(one, 3)
    assert (seal().leaves, seal().leaves) == (3, 0)
    assert verify()[1]["problems"] == []


def test_keys_rotate_and_everything_is_verified_across(
    bucket: Bucket, signers: list[Signer], settings: Any
) -> None:
    one = make_tenant()
    path = settings.AUDIT["key_file"]
    write(one)
    seal_round(signers)
    both = rotate_keys(path)
    write(one)
    seal_round(both)
    alone = retire_keys(path)
    write(one)
    seal_round(alone)
    old, new = str(signers[0].verifier), str(alone[0].verifier)
    assert verify("--public-key", new)[0] == 0
    assert verify("--public-key", old, "--public-key", new)[0] == 0
    code, said = verify("--public-key", old)
    assert (code, codes(said)) == (1, {"signature"})
    assert {problem["where"].split(",")[0] for problem in said["problems"]} == {
        "the checkpoint of size 9",
        "the checkpoint of size 3",
    }


def test_the_sealers_role_may_do_nothing_else() -> None:
    one = make_tenant()
    write(one)
    with connections["sealer"].cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("governance_sealer",)
    for statement in (
        "SELECT payload FROM audits",
        "UPDATE audits SET actor = 'x'",
        "DELETE FROM audits",
        "DELETE FROM audit_leaves",
        "UPDATE audit_leaves SET leaf = ''",
        "UPDATE audit_checkpoints SET note = ''",
        "SELECT * FROM users",
        "SELECT name FROM tenants",
    ):
        with pytest.raises(Exception, match="permission denied"), connections["sealer"].cursor() as cursor:
            cursor.execute(statement)


def test_the_app_role_can_not_touch_what_is_sealed(seal: Callable[[], Any]) -> None:
    one = make_tenant()
    write(one)
    seal()
    for table in ("audit_leaves", "audit_nodes", "audit_chains", "audit_checkpoints"):
        with raw_connection() as app:
            app.execute("SELECT set_config('rls.tenant_id', %s, true)", [str(one)])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(f"DELETE FROM {table}")
    with raw_connection() as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT * FROM audit_platform_checkpoints")


def test_the_store_away_is_waited_for(
    seal: Callable[[], Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(make_tenant())
    told: list[Any] = []
    rests: list[float] = []
    endpoint = settings.EVIDENCE["endpoint"]
    settings.EVIDENCE = settings.EVIDENCE | {"endpoint": "http://127.0.0.1:9"}

    def rest(seconds: float) -> None:
        rests.append(seconds)
        settings.EVIDENCE = settings.EVIDENCE | {"endpoint": endpoint}
        if told:
            raise Killed

    monkeypatch.setattr(rounds, "time", SimpleNamespace(monotonic=time.monotonic, sleep=rest))
    with pytest.raises(Killed):
        rounds.seal_forever(lambda: read_keys(settings.AUDIT["key_file"]), 0.01, told.append)
    assert len(rests) == 2
    assert told[0].platform_size == 1
    assert verify()[0] == 0
