"""Uploading a file: staged outside of any transaction, imported by a job."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import IO, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from apps.catalog import sources
from apps.catalog.models import Resource
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.api.conftest import Api
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = b'{"id": "arn:aws:s3:::a", "provider": "aws", "type": "aws.s3", "name": "a"}\n{"provider": "aws"}\n'


class Shelf:
    """Staging in memory that insists that no transaction is open while bytes travel."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def stage(self, name: str, file: IO[bytes]) -> str:
        assert not connection.in_atomic_block
        key = f"staging/{len(self.files)}/{name}"
        self.files[key] = file.read()
        return key

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[IO[bytes]]:
        yield io.BytesIO(self.files[key])

    def discard(self, key: str) -> None:
        self.files.pop(key, None)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr(sources, "_staging", sources.Staging(shelf.stage, shelf.open, shelf.discard))
    return shelf


@pytest.fixture
def caller(users: dict[Role, User]) -> Api:
    return Api(browser(users[Role.OPERATOR]))


def upload(api: Api, key: str | None = None, content: bytes = ROWS, **body: Any) -> tuple[int, Any]:
    data = {"kind": "inventory", "file": SimpleUploadedFile("rows.ndjson", content)} | body
    headers = {"Idempotency-Key": key} if key else {}
    response = api.client.post("/api/v1/imports/", data, headers=headers)
    return response.status_code, response.json()


def test_an_uploaded_inventory_is_imported_by_its_job(
    caller: Api, shelf: Shelf, tenant: Tenant, users: dict[Role, User]
) -> None:
    status, job = upload(caller, format="ndjson")
    assert (status, job["type"], job["params"]["name"]) == (202, "inventory.import", "rows.ndjson")
    assert list(shelf.files.values()) == [ROWS]
    run_job(tenant.id, Job(id=job["id"]).pk)
    assert shelf.files == {}
    status, shown = caller.get(f"jobs/{job['id']}/")
    assert (shown["status"], shown["result"]["written"], shown["result"]["refused"]) == ("succeeded", 1, 1)
    (run,) = caller.ids("imports/", status="succeeded")
    _, refusals = caller.get(f"imports/{run}/refusals/")
    assert [(r["line"], r["field"]) for r in refusals["results"]] == [(2, "id")]
    with acting_as(users[Role.OPERATOR]):
        assert Resource.objects.count() == 1


def test_with_a_key_the_file_is_taken_once(caller: Api, shelf: Shelf, users: dict[Role, User]) -> None:
    first, second = upload(caller, "k"), upload(caller, "k")
    assert first == second
    assert len(shelf.files) == 1
    assert upload(caller, "k", content=ROWS + b"\n")[0] == 422
    assert len(shelf.files) == 1
    with acting_as(users[Role.OPERATOR]):
        assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "secrets"}, "kind"),
        ({"kind": "costs", "format": "ndjson"}, "format"),
        ({"format": "xlsx"}, "format"),
        ({"kind": "policies", "format": "ndjson"}, "format"),
        ({"file": ""}, "file"),
        ({"file": SimpleUploadedFile("empty.json", b"")}, "file"),
        ({"note": "x"}, "note"),
    ],
)
def test_a_wrong_upload_names_the_field_and_stages_nothing(
    body: dict[str, Any], field: str, caller: Api, shelf: Shelf
) -> None:
    status, problem = upload(caller, **body)
    assert (status, list(problem["errors"])) == (400, [field])
    assert shelf.files == {}


def test_a_multipart_body_that_is_broken(caller: Api, shelf: Shelf) -> None:
    response = caller.client.post(
        "/api/v1/imports/", b"--x\r\nnonsense", content_type="multipart/form-data; boundary=x"
    )
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
