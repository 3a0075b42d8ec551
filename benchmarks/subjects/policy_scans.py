"""The product's own scans: again without a change, and after one resource in a hundred changed, beside a full pass.

Compile, statements, diff, triggers, events and counters, as the app role under row-level security. A full pass that
finds what it found before advances `last_seen` of every violation; an incremental one writes nothing, which is tested
here by the rows' own places.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg

from apps.catalog.services import import_policies
from apps.core.context import Actor, tenant_scope
from apps.findings.services.scanning import _Scan
from benchmarks import estate
from benchmarks.frame import Bench, Row, at_most, spell, took
from benchmarks.loading import in_import_order, load
from benchmarks.policies import mixed_documents

SECONDS = 150


class _Handle:
    """As much of a job as a scan asks for."""

    def __init__(self, mode: str) -> None:
        self.params = {"mode": mode}
        self.job_id = uuid.uuid4()

    def checkpoint(self, *_: Any) -> None:
        """Nobody cancels."""


def run(bench: Bench) -> Iterator[Row]:
    total = bench.size(200_000, 20_000)
    tenant_id = bench.tenant().pk
    with bench.superuser() as superuser, tenant_scope(tenant_id, Actor.system("bench")):
        load(superuser, tenant_id, in_import_order(list(estate.rows(total))))
        import_ten()
        first, opened = took(lambda: scan("full"))
        yield Row(f"{total:,} rows, first full scan, {opened['opened']:,} violations opened", spell(first))
        full, again = took(lambda: scan("full"))
        if again["opened"] or again["fixed"] or again["still_open"] != opened["opened"]:
            raise SystemExit(f"a second scan found something else: {again}")
        yield Row(
            "a second full scan, advancing last_seen of all of them", spell(full), spell(first), full / first
        )
        before = _places(superuser)
        nothing, _ = took(lambda: scan("incremental"))
        moved = len(before - _places(superuser))
        row = at_most(0.05, f"an incremental scan without a change, {moved} rows written", nothing, full)
        yield Row(row.what, row.ours, row.theirs, row.ratio, row.goal, bool(row.met and not moved))
        changed = superuser.execute(
            "UPDATE resource_properties SET properties = properties || '{\"benchmark\": 1}'"
            " WHERE tenant_id = %s AND right(resource_id, 2) = '00'",
            [tenant_id],
        ).rowcount
        superuser.execute("ANALYZE resource_properties")
        some, _ = took(lambda: scan("incremental"))
        yield at_most(
            0.05, f"an incremental scan after {changed:,} resources changed, of a full one", some, full
        )


def scan(mode: str) -> dict[str, Any]:
    return dict(_Scan(_Handle(mode)).run())  # type: ignore[arg-type]


def import_ten() -> None:
    documents = mixed_documents()
    azure = [
        {"name": f"mixed-{i}", "properties": {"policyRule": document}}
        for i, (document, language) in enumerate(documents)
        if language == "azure"
    ]
    custodian = {"policies": [document for document, language in documents if language == "custodian"]}
    for name, pack in (("azure.json", azure), ("custodian.json", custodian)):
        summary = import_policies(source=io.BytesIO(json.dumps(pack).encode()), name=name).summary
        if summary["unsupported"] or summary["failed"]:
            raise SystemExit(f"a policy of the benchmark does not compile: {summary}")


def _places(superuser: psycopg.Connection) -> set[tuple[str, str]]:
    return set(superuser.execute("SELECT id::text, ctid::text FROM violations").fetchall())
