"""Every list and every object: shape, paging over ties both ways, orderings, the number of queries."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import ImportRefusal, Resource
from apps.costs.models import CostDay
from apps.findings.models import PolicyException, Recommendation, ScanRun
from apps.jobs.models import Job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.api.conftest import Api
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db

LISTS = {
    "resources/": "resource",
    "policies/": "policy",
    "imports/": "import",
    "violations/": "violation",
    "violations/latest-open/": "violation",
    "exceptions/": "exception",
    "recommendations/": "recommendation",
    "scans/": "scan",
    "actions/": "action",
    "actions/needing-approval/": "action",
    "audits/": "audit",
    "jobs/": "job",
    "reports/": "report",
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_holds_the_row_and_its_address_shows_it(path: str, viewer: Api, rows: dict[str, Any]) -> None:
    pk = str(rows[LISTS[path]].pk)
    assert pk in viewer.ids(path)
    base = path.replace("latest-open/", "").replace("needing-approval/", "")
    status, body = viewer.get(f"{base}{pk}/")
    assert (status, body["id"]) == (200, pk)


def test_a_resource_shows_its_own_id_and_its_document(viewer: Api, rows: dict[str, Any]) -> None:
    _, body = viewer.get(f"resources/{rows['resource'].pk}/")
    assert body["native_id"] == "arn:aws:s3:::bucket-0"
    assert body["document"] == {"Name": "bucket-0"}
    _, listed = viewer.get("resources/")
    assert "document" not in listed["results"][0]


def test_a_resource_without_a_document_has_null(viewer: Api, inside: Tenant) -> None:
    _, body = viewer.get(f"resources/{make_resource(5).pk}/")
    assert body["document"] is None


def test_money_is_exact_text(viewer: Api, rows: dict[str, Any]) -> None:
    _, body = viewer.get("costs/")
    assert body["results"] == [
        {"service": "storage", "resource_id": None, "day": "2026-01-02", "amount": "0.1000"}
    ]
    _, body = viewer.get("recommendations/")
    assert body["results"][0]["savings"] == "12.340"


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("imports/{}/refusals/", "import", {"line": 7, "field": "id", "reason": "is missing"}),
        ("scans/{}/errors/", "scan", {"message": "division by zero", "resources": 1}),
        ("violations/{}/events/", "violation", {"kind": "opened", "severity": "high"}),
        ("actions/{}/events/", "action", {"message": "planned"}),
        ("policies/{}/versions/", "policy", {"number": 1, "definition": {"name": "has-owner"}}),
    ],
)
def test_parts_of_an_object(
    path: str, kind: str, expected: dict[str, Any], viewer: Api, rows: dict[str, Any]
) -> None:
    status, body = viewer.get(path.format(rows[kind].pk))
    assert status == 200
    (part,) = body["results"]
    assert part | expected == part
    assert isinstance(part["id"], str)


def test_parts_of_nothing_are_a_404(viewer: Api) -> None:
    for path in ("imports/{}/refusals/", "scans/{}/errors/", "violations/{}/events/", "actions/{}/events/"):
        assert viewer.get(path.format("01900000-0000-7000-8000-000000000000"))[0] == 404
    assert viewer.get("policies/none/versions/")[0] == 404


def test_an_audit_row_shows_its_leaf(viewer: Api, rows: dict[str, Any], inside: Tenant) -> None:
    _, body = viewer.get(f"audits/{rows['audit'].pk}/")
    rows["audit"].refresh_from_db()
    assert body["leaf"] == bytes(rows["audit"].leaf).hex()
    assert len(body["leaf"]) == 64


def test_resources_are_counted_by_type(viewer: Api, inside: Tenant) -> None:
    for n in range(3):
        make_resource(n)
    make_resource(9, provider="azure", type="microsoft.storage/storageaccounts")
    assert viewer.get("resources/summary/") == (
        200,
        {
            "total": 4,
            "types": [
                {"provider": "aws", "type": "aws.s3", "resources": 3},
                {"provider": "azure", "type": "microsoft.storage/storageaccounts", "resources": 1},
            ],
        },
    )


def test_violations_are_counted_as_shown(viewer: Api, inside: Tenant) -> None:
    policy = make_policy()
    past = datetime.now(UTC) - timedelta(hours=1)
    make_violation(make_resource(0), policy)
    make_violation(make_resource(1), policy, status="suppressed", suppressed_until=past)
    make_violation(make_resource(2), policy, status="suppressed")
    _, body = viewer.get("violations/counts/")
    counts = {(c["severity"], c["status"]): c["n"] for c in body["counts"]}
    assert counts == {("high", "open"): 2, ("high", "suppressed"): 1}


def test_me_tells_who_one_is_and_what_one_may_do(operator: Api, users: dict[Role, User]) -> None:
    _, body = operator.get("me/")
    assert body["upn"] == users[Role.OPERATOR].upn
    assert body["role"] == "operator"
    assert "governance.scan" in body["permissions"]
    assert "governance.decide" not in body["permissions"]


# Paging


def _walk(api: Api, path: str, **query: Any) -> tuple[list[list[str]], list[list[str]]]:
    """The pages from the first to the last, and back again."""
    there, back = [], []
    _, body = api.get(path, **query)
    while True:
        there.append([row["id"] for row in body["results"]])
        if body["next"] is None:
            break
        body = api.client.get(body["next"]).json()
    while body["previous"]:
        body = api.client.get(body["previous"]).json()
        back.append([row["id"] for row in body["results"]])
    return there, back


@pytest.mark.parametrize("ordering", ["-severity", "severity", "-last_seen", "last_seen"])
def test_paging_over_ties_shows_every_row_once_there_and_back(
    ordering: str, viewer: Api, inside: Tenant
) -> None:
    policy, seen = make_policy(), datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(11):  # all seen in one instant, two severities: only the id tells them apart
        make_violation(make_resource(n), policy, severity="low" if n % 2 else "critical", last_seen=seen)
    there, back = _walk(viewer, "violations/", ordering=ordering, page_size=3)
    shown = [pk for page in there for pk in page]
    assert [len(page) for page in there] == [3, 3, 3, 2]
    assert len(set(shown)) == 11
    assert back == there[-2::-1]
    if "severity" in ordering:
        _, body = viewer.get("violations/", ordering=ordering)
        ranks = [row["severity"] == "critical" for row in body["results"]]
        assert ranks == sorted(ranks, reverse=ordering == "-severity")


def test_paging_keeps_the_filters(viewer: Api, inside: Tenant) -> None:
    for n in range(6):
        make_resource(n, location="here" if n < 4 else "there")
    there, _ = _walk(viewer, "resources/", location="here", page_size=2)
    assert [len(page) for page in there] == [2, 2]


def test_paging_by_big_numbers_and_by_day(viewer: Api, rows: dict[str, Any], inside: Tenant) -> None:
    for line in range(4):
        ImportRefusal.objects.create(run=rows["import"], line=line, reason="wrong")
    there, back = _walk(viewer, f"imports/{rows['import'].pk}/refusals/", page_size=2)
    assert [len(page) for page in there] == [2, 2, 1]
    assert back == there[-2::-1]
    for n in range(4):
        CostDay.objects.create(service=f"s{n}", day=date(2026, 1, 2), amount=n)
    _, first = viewer.get("costs/", page_size=3)
    second = viewer.client.get(first["next"]).json()
    shown = [(row["day"], row["service"]) for row in first["results"] + second["results"]]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == 5


@pytest.mark.parametrize("cursor", ["x", "!!!", "WzBd", "WzAsICIiXQ", "bnVsbA", "W1tdXQ"])
def test_a_foreign_cursor_is_refused_by_name(cursor: str, viewer: Api) -> None:
    status, body = viewer.get("violations/", cursor=cursor)
    assert (status, list(body["errors"])) == (400, ["cursor"])


def test_a_cursor_belongs_to_its_ordering(viewer: Api, inside: Tenant) -> None:
    for n in range(2):
        make_resource(n)
    _, body = viewer.get("resources/", page_size=1)
    other = body["next"].replace("/resources/?", "/resources/?ordering=updated_at&")
    response = viewer.client.get(other)
    assert (response.status_code, list(response.json()["errors"])) == (400, ["cursor"])


@pytest.mark.parametrize("size", ["0", "501", "-1", "x"])
def test_page_size_is_bounded(size: str, viewer: Api) -> None:
    status, body = viewer.get("resources/", page_size=size)
    assert (status, list(body["errors"])) == (400, ["page_size"])


def test_an_unknown_ordering_is_refused_by_name(viewer: Api) -> None:
    status, body = viewer.get("resources/", ordering="tags")
    assert (status, list(body["errors"])) == (400, ["ordering"])


# The number of queries


def _fill(path: str, count: int, operator: User) -> None:
    policy = make_policy(f"policy-{count}") if path != "policies/" else None
    for n in range(count):
        if path == "policies/":
            make_policy(f"p{n}")
        elif path == "resources/":
            make_resource(n)
        elif path.startswith("violations/"):
            make_violation(make_resource(n), policy or make_policy())
        elif path == "exceptions/":
            PolicyException.objects.create(
                policy=policy, resource=make_resource(n), reason="r", status="pending", created_by=operator
            )
        elif path == "recommendations/":
            Recommendation.objects.create(kind="security", severity="low", title="t")
        elif path == "scans/":
            ScanRun.objects.create(status="succeeded")
        elif path == "jobs/":
            Job.objects.create(type="t", queue="jobs", idempotency_key=str(n))


@pytest.mark.parametrize(
    "path",
    [
        "policies/",
        "resources/",
        "violations/",
        "violations/latest-open/",
        "exceptions/",
        "recommendations/",
        "scans/",
        "jobs/",
    ],
)
def test_a_list_takes_as_many_queries_for_50_rows_as_for_3(
    path: str, viewer: Api, inside: Tenant, users: dict[Role, User]
) -> None:
    _fill(path, 50, users[Role.OPERATOR])
    taken = {}
    for size in (3, 50):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            _, body = viewer.get(path, page_size=size)
        assert len(body["results"]) == size
        taken[size] = len(queries)
    assert taken[3] == taken[50]


def test_another_tenants_rows_are_in_no_list(
    viewer: Api, rows: dict[str, Any], other_users: dict[Role, User]
) -> None:
    from tests.fixtures.clients import browser

    stranger = Api(browser(other_users[Role.VIEWER]))
    own = {"audits/"}  # the stranger's tenant has its own
    for path in LISTS.keys() - own:
        assert stranger.ids(path) == []
    assert str(rows["audit"].pk) not in stranger.ids("audits/")
    assert stranger.get("costs/")[1]["results"] == []
    assert stranger.get("resources/summary/")[1]["total"] == 0
    assert stranger.get("violations/counts/")[1]["counts"] == []
    assert Resource.objects.count() == 0  # without a context nobody sees anything
