"""Inventory import by several writers at once: what it does where nobody holds a transaction open around it."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from apps.catalog.models import ImportRefusal, ImportRun, Resource, ResourceProperties
from apps.catalog.services import import_inventory, inventory
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.jobs.running import JobCancelled
from apps.tenancy.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 200


@pytest.fixture
def scope(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """In the tenant's name and in no transaction; a batch is ten rows."""
    monkeypatch.setattr(inventory, "BATCH_ROWS", 10)
    with tenant_scope(tenant.id, Actor.system("importer")):
        yield tenant
    assert [each.name for each in threading.enumerate() if "writer" in each.name] == []


def rows(start: int = 0, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"arn:aws:s3:::b-{n}", "provider": "aws", "type": "aws.s3", "name": f"b-{n}", **more}
        for n in range(start, start + ROWS)
    ]


def source(*given: list[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps(row).encode() + b"\n" for each in given for row in each))


def stored(tenant: Tenant) -> list[tuple[str, Any, Any]]:
    with tenant_transaction(tenant.id):
        documents = dict(ResourceProperties.objects.values_list("resource_id", "properties"))
        found = Resource.objects.order_by("name").values_list("pk", "name", "updated_at")
        return [(name, documents[pk], at) for pk, name, at in found]


def test_all_land_once_and_again_nothing_changes(scope: Tenant) -> None:
    run = import_inventory(source=source(rows(properties={"n": 1})), name="f", format="ndjson")
    assert (run.status, run.rows_read, run.rows_written) == ("succeeded", ROWS, ROWS)
    before = stored(scope)
    assert {name for name, _, _ in before} == {f"b-{n}" for n in range(ROWS)}
    run = import_inventory(source=source(rows(properties={"n": 1})), name="f", format="ndjson")
    assert (run.rows_written, run.rows_unchanged) == (0, ROWS)
    assert stored(scope) == before


def test_of_repeated_keys_the_last_row_wins_and_the_others_are_named(scope: Tenant) -> None:
    given = source(rows(properties={"n": 1}), rows(properties={"n": 2}), rows(properties={"n": 3}))
    run = import_inventory(source=given, name="f", format="ndjson")
    assert (run.rows_read, run.rows_written, run.rows_refused) == (3 * ROWS, ROWS, 2 * ROWS)
    assert {json.dumps(document) for _, document, _ in stored(scope)} == {'{"n": 3}'}
    with tenant_transaction(scope.id):
        assert ImportRefusal.objects.filter(run=run, reason="superseded by line 401").count() == 2


def test_the_parts_of_one_asset_merge_in_their_order(scope: Tenant) -> None:
    """Both lines of an asset go to one writer, the second into a later batch."""
    parts: list[dict[str, Any]] = []
    for n in range(40):
        asset = {"name": f"//storage.googleapis.com/b-{n}", "assetType": "storage.googleapis.com/Bucket"}
        parts.append(asset | {"resource": {"version": "v1", "data": {"name": f"b-{n}", "location": "EU"}}})
        parts.append(asset | {"iamPolicy": {"bindings": [{"role": "roles/viewer", "members": [f"m-{n}"]}]}})
    run = import_inventory(source=source(parts), name="f", format="gcp-asset")
    assert (run.rows_read, run.rows_refused) == (80, 0)
    documents = [document for _, document, _ in stored(scope)]
    assert len(documents) == 40
    assert all(
        "roles/viewer" in json.dumps(document) and "EU" in json.dumps(document) for document in documents
    )


class Cancelling:
    """A job's progress that asks to stop at a number of calls."""

    def __init__(self, calls: int) -> None:
        self.job_id, self.calls = uuid.uuid4(), calls

    def checkpoint(self, done: Any = None, total: Any = None, note: str | None = None) -> None:
        self.calls -= 1
        if self.calls == 0:
            raise JobCancelled


def test_a_cancelled_import_has_counted_what_landed(scope: Tenant) -> None:
    # Twenty while the file is read, three while it is written.
    with pytest.raises(JobCancelled):
        import_inventory(source=source(rows()), name="f", format="ndjson", progress=Cancelling(23))
    with tenant_transaction(scope.id):
        run = ImportRun.objects.get()
    landed = len(stored(scope))
    assert (run.status, run.rows_written) == ("failed", landed)
    assert 30 <= landed < ROWS


def test_a_lost_connection_is_told_and_another_run_ends_the_work(
    scope: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge, write, calls = inventory._merge, inventory._write, list[int]()

    def lost(batch: list[bytes]) -> tuple[int, int]:
        calls.append(len(batch))
        if len(calls) == 4:
            monkeypatch.setattr(inventory, "_write", cut)
        return merge(batch)

    def cut(cursor: Any, tenant_id: uuid.UUID) -> int:
        monkeypatch.setattr(inventory, "_write", write)
        connection.connection.close()
        return write(cursor, tenant_id)

    monkeypatch.setattr(inventory, "_merge", lost)
    with pytest.raises(OperationalError):
        import_inventory(source=source(rows()), name="f", format="ndjson")
    with tenant_transaction(scope.id):
        run = ImportRun.objects.get()
    landed = len(stored(scope))
    assert (run.status, run.rows_written) == ("failed", landed)
    again = import_inventory(source=source(rows()), name="f", format="ndjson")
    assert (again.rows_written, again.rows_unchanged) == (ROWS - landed, landed)
    assert len(stored(scope)) == ROWS
