"""Inventory import beside COPY by a superuser into tables of the same columns, checks, indexes and foreign keys.

Ours reads a file of NDJSON: parses, checks, normalises, finds repeated keys, and merges under row-level security with
foreign keys and watermarks. COPY gets rows that are ready.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from apps.catalog.services import import_inventory
from apps.core.context import Actor, tenant_scope
from benchmarks import estate
from benchmarks.frame import Bench, Row, at_least, spell, took
from benchmarks.loading import COLUMNS, make_twin

SECONDS = 150
TWINS = {"resources": "bench_resources", "resource_properties": "bench_properties"}


def run(bench: Bench) -> Iterator[Row]:
    total = bench.size(200_000, 20_000)
    tenant_id = bench.tenant().pk
    rows = list(estate.rows(total))
    with bench.superuser() as superuser, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "estate.ndjson"
        with file.open("w") as out:
            for row in rows:
                out.write(json.dumps({"id": row["native_id"], **{k: v for k, v in row.items() if k not in ("id", "native_id", "group_name", "account")}}) + "\n")  # fmt: skip
        ready = _ready(rows, tenant_id)
        del rows
        with tenant_scope(tenant_id, Actor.system("bench")):
            ours, ran = took(lambda: import_inventory(source=file, name=file.name, format="ndjson"))
            if ran.rows_written != total:
                raise SystemExit(f"{ran.rows_written:,} of {total:,} rows written")
            theirs, _ = took(lambda: _copy(superuser, ready))
            yield at_least(
                0.5, f"import of {total:,} resources against COPY into the same tables", ours, theirs
            )
            again, ran = took(lambda: import_inventory(source=file, name=file.name, format="ndjson"))
            if ran.rows_unchanged != total:
                raise SystemExit(f"a second import wrote {ran.rows_written:,} rows")
            yield Row("the same file again, nothing written", spell(again), spell(ours), again / ours)


def _ready(rows: list[estate.Row], tenant_id: Any) -> dict[str, bytes]:
    """Each table's rows in COPY's text form."""

    def line(*values: Any) -> str:
        told = ("\\N" if v is None else str(v).replace("\\", "\\\\").replace("\t", "\\t") for v in values)
        return "\t".join(told) + "\n"

    core = (
        line(tenant_id, *(json.dumps(row[c]) if c == "tags" else row[c] for c in COLUMNS)) for row in rows
    )
    documents = (line(tenant_id, row["id"], row["type"], json.dumps(row["properties"])) for row in rows)
    return {"resources": "".join(core).encode(), "resource_properties": "".join(documents).encode()}


def _copy(superuser: psycopg.Connection, ready: dict[str, bytes]) -> None:
    names = {
        "resources": f"tenant_id, {', '.join(COLUMNS)}",
        "resource_properties": "tenant_id, resource_id, type, properties",
    }
    for table, twin in TWINS.items():
        make_twin(superuser, table, twin, TWINS)
        with superuser.cursor() as cursor, cursor.copy(f"COPY {twin} ({names[table]}) FROM STDIN") as copy:
            copy.write(ready[table])
