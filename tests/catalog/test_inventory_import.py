"""Inventory import: good rows land, each bad one is named, a second time changes nothing."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Audit
from apps.catalog.models import ImportRefusal, ImportRun, Resource, ResourceProperties, resource_key
from apps.catalog.services import import_inventory
from apps.tenancy.models import Tenant
from tests.fixtures.estate import bucket, import_rows

pytestmark = pytest.mark.django_db
CORPORA = Path(os.environ.get("CORPORA_DIR", Path(__file__).parents[3] / "shared" / "corpora")) / "inventory"


def import_bytes(raw: bytes, format: str | None = None) -> ImportRun:
    return import_inventory(source=io.BytesIO(raw), name="file", format=format)


def counts(run: ImportRun) -> tuple[int, int, int, int]:
    return (run.rows_read, run.rows_written, run.rows_unchanged, run.rows_refused)


def state() -> list[Any]:
    return list(Resource.objects.order_by("id").values()) + list(
        ResourceProperties.objects.order_by("resource_id").values()
    )


def refusals() -> list[tuple[int | None, str, str]]:
    return [(r.line, r.field, r.reason) for r in ImportRefusal.objects.order_by("pk")]


def test_rows_land_with_their_document(in_tenant: Tenant) -> None:
    assert counts(import_rows([bucket(1, Versioning=True)])) == (1, 1, 0, 0)
    resource = Resource.objects.select_related("document").get()
    assert resource.native_id == "arn:aws:s3:::bucket-1"
    assert resource.pk == resource_key(in_tenant.id, "aws", "aws.s3", "arn:aws:s3:::bucket-1")
    assert (resource.provider, resource.type, resource.location, resource.tags) == (
        "aws",
        "aws.s3",
        "eu-west-1",
        {"owner": "ada"},
    )
    assert resource.document.properties["Versioning"] is True
    assert Audit.objects.filter(action="catalog.inventory.imported").count() == 1


def test_importing_again_writes_no_row(in_tenant: Tenant) -> None:
    import_rows([bucket(n) for n in range(20)])
    before = state()
    assert counts(import_rows([bucket(n) for n in range(20)])) == (20, 0, 20, 0)
    assert state() == before


def test_only_what_changed_is_written_and_gets_a_new_watermark(in_tenant: Tenant) -> None:
    import_rows([bucket(n) for n in range(3)])
    before = {r.name: r.updated_at for r in Resource.objects.all()}
    assert counts(import_rows([bucket(0), bucket(1, Encrypted=False), bucket(2)])) == (3, 1, 2, 0)
    documents = {d.resource.name: d.properties for d in ResourceProperties.objects.select_related("resource")}
    assert documents["bucket-1"]["Encrypted"] is False
    assert set(before) == {r.name for r in Resource.objects.all()}


def test_of_a_repeated_key_the_last_row_wins_and_the_earlier_are_named(in_tenant: Tenant) -> None:
    rows = [bucket(1, Round=1), bucket(2), bucket(1, Round=2)]
    assert counts(import_rows(rows)) == (3, 2, 0, 1)
    assert ResourceProperties.objects.get(resource__name="bucket-1").properties["Round"] == 2
    assert refusals() == [(1, "", "superseded by line 3")]
    before = state()
    assert counts(import_rows(rows)) == (3, 0, 2, 1)
    assert state() == before


def test_two_tenants_may_have_the_same_resource(in_tenant: Tenant, other_tenant: Tenant) -> None:
    from apps.core.context import tenant_transaction

    import_rows([bucket(1)])
    with tenant_transaction(other_tenant.id):
        assert counts(import_rows([bucket(1, Theirs=True)])) == (1, 1, 0, 0)
        assert Resource.objects.count() == 1
    assert ResourceProperties.objects.get().properties == {"Name": "bucket-1"}


GOOD = (json.dumps(bucket(1)) + "\n").encode()


@pytest.mark.parametrize(
    ("bad", "line", "field", "says"),
    [
        (b'{"id": "x", "provider": "aws", "type": "t", "na', 2, "", "JSON"),
        (b'{"provider": "aws", "type": "t", "name": "n"}\n', 2, "id", "missing"),
        (b'{"id": 7, "provider": "aws", "type": "t", "name": "n"}\n', 2, "id", "string"),
        (b'{"id": "", "provider": "aws", "type": "t", "name": "n"}\n', 2, "id", "empty"),
        (b'{"id": "x", "provider": "oracle", "type": "t", "name": "n"}\n', 2, "provider", "oracle"),
        (b'{"id": "x\\u0000y", "provider": "aws", "type": "t", "name": "n"}\n', 2, "id", "NUL"),
        (b'{"id": "x", "provider": "aws", "type": "t", "name": "n", "tags": {"a": {}}}\n', 2, "tags.a", ""),
        (b'{"id": "x", "provider": "aws", "type": "t", "name": "\xff"}\n', 2, "", "UTF-8"),
        (b"[1, 2]\n", 2, "", "object"),
    ],
)
def test_a_bad_row_is_named_and_its_neighbours_land(
    in_tenant: Tenant, bad: bytes, line: int, field: str, says: str
) -> None:
    run = import_bytes(GOOD + bad, "ndjson")
    assert counts(run) == (2, 1, 0, 1)
    found = refusals()[0]
    assert (found[0], found[1]) == (line, field)
    assert says.lower() in found[2].lower()


def test_a_fifty_megabyte_tag_is_refused_and_the_rest_lands(in_tenant: Tenant) -> None:
    huge = json.dumps(bucket(2) | {"tags": {"big": "x" * 50_000_000}}).encode() + b"\n"
    run = import_bytes(GOOD + huge + json.dumps(bucket(3)).encode() + b"\n", "ndjson")
    assert counts(run) == (3, 2, 0, 1)
    assert refusals()[0][0] == 2


@pytest.mark.parametrize("raw", [b"", b"\x00\x01\x02", "héllo".encode("utf-16"), b"<xml/>"])
def test_a_file_that_is_no_inventory_is_refused_with_a_reason(in_tenant: Tenant, raw: bytes) -> None:
    run = import_bytes(raw)
    assert run.rows_written == 0
    assert run.rows_refused >= 1
    assert Resource.objects.count() == 0


@pytest.mark.parametrize("name", ["aws.ndjson", "gcp.ndjson", "azure_resource_graph.json"])
def test_public_files_import_whole_and_a_second_time_change_nothing(in_tenant: Tenant, name: str) -> None:
    path = CORPORA / name
    if not path.exists():
        pytest.skip(f"the corpus is not here: {path.name}")
    first = import_inventory(source=path, name=name)
    assert first.rows_read == first.rows_written + first.rows_refused
    assert first.rows_written > 500
    assert ImportRefusal.objects.filter(run=first).count() == first.rows_refused
    assert not ImportRefusal.objects.filter(run=first, reason="").exists()
    before = state()
    second = import_inventory(source=path, name=name)
    assert (second.rows_written, second.rows_unchanged, second.rows_refused) == (
        0,
        first.rows_written,
        first.rows_refused,
    )
    assert state() == before


def test_checks_are_planned_for_the_tables_as_they_are_before_rows_are_written(in_tenant: Tenant) -> None:
    """Planned while the tables were empty, each check of a foreign key passed over all rows of the tenant."""
    with CaptureQueriesContext(connection) as queries:
        import_rows([bucket(1)])
    said = [query["sql"].strip() for query in queries]
    (written,) = [n for n, sql in enumerate(said) if "INSERT INTO resources" in sql]
    assert "DISCARD PLANS" in said[:written]


def test_a_superseded_row_is_named_by_its_id_whatever_is_in_it(in_tenant: Tenant) -> None:
    odd = 'a\tb\\c\n"d"\\t'
    first = bucket(1, Round=1) | {"id": odd}
    assert counts(import_rows([first, bucket(2), first | {"name": "later"}])) == (3, 2, 0, 1)
    (refusal,) = ImportRefusal.objects.all()
    assert (refusal.native_id, refusal.line) == (odd, 1)
    assert Resource.objects.get(name="later").native_id == odd


def test_a_document_is_stored_as_it_is_written(in_tenant: Tenant) -> None:
    raw = (
        b'{"id": "x", "provider": "aws", "type": "aws.s3", "name": "a\\\\b", "tags": {"k\\t": "v\\n\\u00e9"}, "properties": '
        b'{"big": 123456789012345678901234567890, "real": 1e16, "path": "c:\\\\d\\\\N", "line": "\\r\\n\\t", "e": "1e+20"}}\n'
    )
    assert counts(import_bytes(raw)) == (1, 1, 0, 0)
    stored = Resource.objects.select_related("document").get()
    assert (stored.name, stored.tags) == ("a\\b", {"k\t": "v\né"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT properties->>'big', properties->>'real' FROM resource_properties")
        assert cursor.fetchone() == ("123456789012345678901234567890", "10000000000000000")
    assert stored.document.properties["path"] == "c:\\d\\N"
    assert stored.document.properties["line"] == "\r\n\t"
    assert counts(import_bytes(raw)) == (1, 0, 1, 0)


def test_what_is_stored_is_looked_up_by_key_however_old_the_statistics_are(in_tenant: Tenant) -> None:
    """A hash of the tenant's documents for each batch would make a large import grow with its square."""
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "FROM incoming" in sql:
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}", params)
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
        return execute(sql, params, many, context)

    import_rows([bucket(n) for n in range(50)])
    with connection.execute_wrapper(explain):
        import_rows([bucket(n) for n in range(3_000)])
    assert len(plans) == 2
    for plan in plans:
        assert "Nested Loop Left Join" in plan
        assert "Hash" not in plan
