"""Audit trail: appending by 16 writers at once, and verifying a sealed trail."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from django.conf import settings
from psycopg.types.json import Jsonb

from apps.audit import anchors
from apps.audit.keys import make_keys
from apps.audit.sealing.rounds import seal_round
from apps.audit.verification.verify import verify_tenant
from apps.core.context import tenant_scope
from apps.core.ids import new_id
from benchmarks.frame import Bench, Row, at_least

SECONDS = 120.0
WRITERS = 16

# The same columns, indexes and grants as `audits`, without what hashes.
PLAIN = """
CREATE TABLE plain_audits (LIKE audits INCLUDING DEFAULTS INCLUDING INDEXES);
ALTER TABLE plain_audits ADD FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE plain_audits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON plain_audits USING (
    tenant_id = (SELECT nullif(current_setting('rls.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT ON plain_audits TO PUBLIC;
"""
INSERT = """
INSERT INTO {} (id, tenant_id, actor, action, target_type, target_id, payload)
VALUES (%s, %s, %s, 'findings.violation.fixed', 'findings.violation', %s, %s)
"""
PAYLOAD = {"from": "open", "to": "fixed", "note": "no longer matches", "request_id": str(uuid.UUID(int=7))}
TOGETHER = 20  # rows in a transaction


class Memory:
    """Checkpoints in memory: what the store takes is not what is measured."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, key: str, content: bytes, retain_until: object) -> str:
        self.kept[key] = content
        return "1"

    def read(self, key: str, version_id: str = "") -> bytes:
        return self.kept[key]

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        return sorted(key for key in self.kept if key.startswith(prefix) and key > after)[:limit]

    def versions(self, prefix: str) -> Iterator[anchors.Anchor]:
        return iter([anchors.Anchor(key, "1", False) for key in sorted(self.kept) if key.startswith(prefix)])


def run(bench: Bench) -> Iterator[Row]:
    yield from appending(bench)
    yield from verifying(bench)


def appending(bench: Bench) -> Iterator[Row]:
    tenant_id = bench.tenant("Writers").pk
    rows = bench.size(4800, 800)
    with bench.superuser() as connection:
        connection.execute(PLAIN)
    race = [writers(table, tenant_id, rows // WRITERS) for table in ("audits", "plain_audits")]
    ours, theirs = bench.race(*race)
    yield at_least(0.7, f"append, {WRITERS} writers on one tenant, against a plain INSERT", ours, theirs)


def writers(table: str, tenant_id: uuid.UUID, each: int) -> Callable[[], int]:
    """A transaction for each row, as 16 people at once make them."""
    url, statement = os.environ["DATABASE_URL"], INSERT.format(table)

    def write(connection: psycopg.Connection) -> None:
        for _ in range(each):
            with connection.transaction():
                connection.execute("SELECT set_config('rls.tenant_id', %s, true)", [str(tenant_id)])
                row = [new_id(), tenant_id, f"user:{tenant_id}", str(tenant_id), Jsonb(PAYLOAD)]
                connection.execute(statement, row)

    def all_of_them() -> int:
        connections = [psycopg.connect(url, autocommit=True) for _ in range(WRITERS)]
        threads = [threading.Thread(target=write, args=[connection]) for connection in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()
        return each * WRITERS

    return all_of_them


def load(connection: psycopg.Connection, tenant_id: uuid.UUID, rows: int) -> None:
    """As the application writes them: some in a transaction, under ids of its own."""
    statement = "COPY audits (id, tenant_id, actor, action, target_type, target_id, payload) FROM STDIN"
    actor = f"user:{tenant_id}"
    for _ in range(rows // TOGETHER):
        with connection.cursor().copy(statement) as copy:
            for _ in range(TOGETHER):
                target = ("findings.violation.fixed", "findings.violation", str(new_id()))
                copy.write_row([new_id(), tenant_id, actor, *target, Jsonb(PAYLOAD)])


def verifying(bench: Bench) -> Iterator[Row]:
    """The whole of `audit verify` for a tenant, against hashing its leaves and nodes by hashlib alone."""
    tenant_id, rows = bench.tenant("Verified").pk, bench.size(200_000, 20_000)
    with bench.superuser() as connection:
        load(connection, tenant_id, rows)
        connection.execute("ANALYZE audits")
    anchors.use_anchor_store(Memory())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signing.key"
        signers = make_keys(path, "bench")
        settings.AUDIT = settings.AUDIT | {"key_file": path}
        began = time.monotonic()
        seal_round(signers)
        yield Row(f"sealing {rows:,} rows", f"{rows / (time.monotonic() - began):,.0f}/s")
    with bench.superuser() as connection:
        connection.execute("ANALYZE audit_leaves")
        found = connection.execute("SELECT canonical FROM audits WHERE tenant_id = %s", [tenant_id])
        entries = [bytes(row[0]) for row in found]

    def verify() -> int:
        with tenant_scope(tenant_id):
            result = verify_tenant(tenant_id, trusted=[signer.verifier for signer in signers])
        if result.wrong or result.trails[0].sealed != rows:
            raise AssertionError(result.problems[:3] or result.trails)
        return rows

    def bare() -> int:
        """The same bytes: 0x00 and each row's, then 0x01 and each pair of nodes."""
        sha256 = hashlib.sha256
        nodes = [sha256(b"\x00" + entry).digest() for entry in entries]
        while len(nodes) > 1:
            pairs = iter(nodes[: len(nodes) & ~1])
            level = [
                sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)
            ]
            nodes = level + nodes[len(nodes) & ~1 :]
        return rows

    ours, theirs = bench.race(verify, bare)
    yield at_least(
        0.5, f"verifying {rows:,} sealed rows, against bare hashlib on the same bytes", ours, theirs
    )
