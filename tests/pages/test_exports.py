"""Exports hold exactly what is filtered, in any number of batches, and can't carry a formula."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import Audit
from apps.core import exports
from apps.core.columns import csv_cell
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(users: dict[Role, User], monkeypatch: pytest.MonkeyPatch) -> int:
    """25 resources, exported in batches of 4; every other with a violation."""
    monkeypatch.setattr(exports, "BATCH", 4)
    with acting_as(users[Role.OPERATOR]):
        policy = make_policy()
        for number in range(25):
            resource = make_resource(number)
            if number % 2:
                make_violation(resource, policy, severity="low" if number < 10 else "high")
    return 25


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    return b"".join(answer.streaming_content).decode()


def test_a_csv_export_holds_every_row_whatever_the_page_shows(viewer: Client, many: int) -> None:
    rows = list(csv.DictReader(io.StringIO(text(viewer, "/resources/?page_size=3&export=csv"))))
    assert len(rows) == len({row["id"] for row in rows}) == many
    assert rows[0]["native_id"].startswith("arn:aws:s3:::bucket-")


def test_a_json_export_holds_what_the_filters_let_through(viewer: Client, many: int) -> None:
    rows = json.loads(text(viewer, "/violations/?severity=low&export=json"))
    assert {row["severity"] for row in rows} == {"low"}
    assert {row["resource"] for row in rows} == {f"bucket-{n}" for n in (1, 3, 5, 7, 9)}


def test_an_empty_export_is_well_formed(viewer: Client, many: int) -> None:
    assert json.loads(text(viewer, "/violations/?severity=critical&export=json")) == []
    assert len(text(viewer, "/violations/?severity=critical&export=csv").splitlines()) == 1


def test_an_export_leaves_two_rows_in_the_audit_trail(
    viewer: Client, many: int, users: dict[Role, User]
) -> None:
    text(viewer, "/violations/?severity=low&export=csv")
    with acting_as(users[Role.VIEWER]) as user:
        begun = Audit.objects.get(action="findings.violations.exported")
        done = Audit.objects.get(action="findings.violations.export_finished")
    assert begun.actor == done.actor == f"user:{user.pk}"
    assert begun.payload["filters"] == {"severity": ["low"]} and begun.payload["format"] == "csv"
    assert done.payload["rows"] == 5


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    assert csv_cell(f"{start}cmd") == f"'{start}cmd"


def test_numbers_and_plain_text_stay_as_they_are() -> None:
    assert [csv_cell(value) for value in (-3, None, "a=b", True)] == ["-3", "", "a=b", "True"]


def test_a_formula_in_a_clouds_name_leaves_the_desk_quoted(viewer: Client, users: dict[Role, User]) -> None:
    with acting_as(users[Role.OPERATOR]):
        make_resource(1, name='=HYPERLINK("http://evil")')
    row = next(csv.DictReader(io.StringIO(text(viewer, "/resources/?export=csv"))))
    assert row["name"].startswith("'=HYPERLINK")


def test_an_unknown_format_is_refused(viewer: Client, rows: dict[str, Any]) -> None:
    assert viewer.get("/resources/?export=xml").status_code == 400


@pytest.mark.parametrize(
    "path",
    ["resources", "policies", "imports", "violations", "violations/latest", "exceptions", "scans",
     "recommendations", "actions", "actions/needing-approval", "costs/days", "jobs", "audit", "reports"],
)  # fmt: skip
def test_every_list_exports_its_rows(path: str, viewer: Client, rows: dict[str, Any]) -> None:
    found = json.loads(text(viewer, f"/{path}/?export=json"))
    assert found and all(set(row) == set(found[0]) for row in found)
