"""Lists at scale: what a page costs does not grow with its rows, counts have a bound, searches have an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.admin import site
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.actions.models import Action
from apps.audit.services import record
from apps.catalog.admin import ResourceAdmin
from apps.catalog.models import Resource
from apps.core import pagination
from apps.desk.admin import JobAdmin
from apps.findings.services.exceptions import reject_exception
from apps.jobs.models import Job
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.estate import acting_as

from .conftest import QUEUE, make_case

pytestmark = pytest.mark.django_db

# Context, savepoint, session and user; the badge; count and rows; what rows show beside their columns.
BASELINE = 15


def queries_of(client: Client, url: str) -> int:
    client.get(url)  # what is read once a process is not counted
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def fill(user: User, start: int, stop: int) -> None:
    with acting_as(user):
        for number in range(start, stop):
            _, resource = make_case(number)
            Action(type="tag", resource_id=resource.pk, status="preflight", requested_by=user).save()
            Job(type="t", queue="jobs", idempotency_key=f"k{number}").save()
            record("test.thing.happened", resource, {"n": number})


@pytest.mark.parametrize(
    "url",
    [
        "/admin/findings/violation/",
        "/admin/catalog/policy/",
        "/admin/catalog/resource/",
        "/admin/actions/action/",
        "/admin/jobs/job/",
        "/admin/audit/audit/",
    ],
)
def test_a_list_of_fifty_costs_what_a_list_of_three_costs(admin, users, url):
    fill(users[Role.OPERATOR], 0, 3)
    few = queries_of(admin, url)
    fill(users[Role.OPERATOR], 3, 50)
    assert queries_of(admin, url) == few
    assert few <= BASELINE


def test_a_queue_of_fifty_costs_what_a_queue_of_three_costs(approver, make_exceptions: Callable):
    make_exceptions(3)
    few = queries_of(approver, QUEUE)
    make_exceptions(47, start=3)
    assert queries_of(approver, QUEUE) == few
    assert few <= BASELINE


def test_bulk_confirmation_of_fifty_costs_what_one_of_three_costs(approver, make_exceptions):
    def cost(exceptions) -> int:
        data = {
            "action": "approve_selected",
            "index": "0",
            "_selected_action": [str(e.pk) for e in exceptions],
        }
        with CaptureQueriesContext(connection) as captured:
            assert approver.post(QUEUE, data).status_code == 200
        return len(captured)

    few = make_exceptions(3)
    cost(few)
    assert cost(few) == cost(few + make_exceptions(47, start=3))


def test_the_queue_puts_first_what_waits_for_me_at_the_worst_risk_for_longest(
    approver, users, make_exceptions
):
    mine = make_exceptions(1, by=Role.APPROVER, severity="critical")
    low = make_exceptions(1, start=1, severity="low")
    old = make_exceptions(1, start=2, severity="high")
    young = make_exceptions(1, start=3, severity="high")
    worst = make_exceptions(1, start=4, severity="critical")
    with acting_as(users[Role.APPROVER]):
        decided = make_exceptions(1, start=5, severity="critical")
        reject_exception(exception=decided[0], reason="no")
    rows = approver.get(QUEUE).context["cl"].result_list
    assert [row.pk for row in rows] == [e[0].pk for e in (worst, old, young, low, mine, decided)]
    assert [row.is_mine for row in rows] == [True, True, True, True, False, False]


def test_a_row_shows_its_impact_and_the_whole_cloud_id_in_a_title(approver, users, make_exceptions):
    make_exceptions(1)
    with acting_as(users[Role.APPROVER]):
        native_id = Resource.objects.get().native_id
    page = approver.get(QUEUE).content.decode()
    assert f'title="{native_id}"' in page
    row = approver.get(QUEUE).context["cl"].result_list[0]
    assert row.coverage.by_severity == {"high": 1}
    assert row.coverage.reason == "case-0 is public"


def test_counting_stops_at_its_bound_and_says_so(admin, users, monkeypatch):
    fill(users[Role.OPERATOR], 0, 4)
    monkeypatch.setattr(pagination, "COUNT_LIMIT", 3)
    page = admin.get("/admin/catalog/resource/").content.decode()
    assert "the first 3 resources of more" in page
    assert "Show all" not in page


@pytest.mark.parametrize("term", ["native", "id"])
def test_a_violation_is_found_by_its_resources_cloud_id(admin, users, term):
    fill(users[Role.OPERATOR], 0, 3)
    with acting_as(users[Role.OPERATOR]):
        resource = Resource.objects.get(name="case-1")
    query = resource.native_id if term == "native" else resource.pk
    rows = admin.get("/admin/findings/violation/", {"q": query}).context["cl"].result_list
    assert [row.resource_id for row in rows] == [resource.pk]


@pytest.mark.parametrize("term", ["no such thing", "%", "'", "\\", "00000000-0000-0000-0000-000000000000"])
def test_a_search_that_finds_nothing_says_so(admin, users, term):
    fill(users[Role.OPERATOR], 0, 1)
    for url in ("/admin/findings/violation/", "/admin/catalog/policy/", "/admin/audit/audit/", QUEUE):
        page = admin.get(url, {"q": term})
        assert page.status_code == 200
        assert page.context["cl"].result_list == []


def test_a_policy_is_found_by_how_its_name_begins(admin, users):
    fill(users[Role.OPERATOR], 0, 12)
    rows = admin.get("/admin/catalog/policy/", {"q": "Case 1"}).context["cl"].result_list
    assert [row.name for row in rows] == ["Case 1", "Case 10", "Case 11"]


@pytest.mark.django_db(transaction=True)
def test_a_search_is_answered_from_an_index_under_row_level_security(users):
    """By its conditions, not by filtering what an index on the tenant alone gives."""
    with acting_as(users[Role.OPERATOR]):
        Job.objects.bulk_create(Job(type="t", queue="jobs", idempotency_key=f"k{n}") for n in range(3000))
        Resource.objects.bulk_create(
            Resource(pk=f"r{n}", provider="aws", type="aws.s3", name=f"b{n}", native_id=f"n{n}")
            for n in range(3000)
        )
    analyze("jobs", "resources")
    with acting_as(users[Role.OPERATOR]):
        assert "idempotency_key" in index_conditions(Job, JobAdmin, "k77")
        assert "native_id" in index_conditions(Resource, ResourceAdmin, "n777")


def analyze(*tables: str) -> None:
    """As the owner: the app role may not, and without statistics the planner's choice of index is a guess."""
    settings = connections["owner"].settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"] or 5432,
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"],
    ) as owner:
        owner.execute(f"ANALYZE {', '.join(tables)}")


def index_conditions(model: Any, model_admin: Any, term: str) -> str:
    """The `Index Cond` lines of a search's plan, without sequential scans."""
    admin = model_admin(model, site)
    rows = model.objects.filter(admin.search_condition(None, term))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        sql, params = rows.query.sql_with_params()
        cursor.execute(f"EXPLAIN {sql}", params)
        return " ".join(line for (line,) in cursor.fetchall() if "Index Cond" in line)


def test_a_broken_filter_is_no_server_error(admin):
    for query in ("?status=nonsense", "?p=x", "?p=99999", "?o=zz", "?e=1", "?asked=x&risk=9"):
        assert admin.get(QUEUE + query).status_code in (200, 302)


def test_a_term_that_no_column_can_hold_is_no_server_error(admin, users):
    fill(users[Role.OPERATOR], 0, 1)
    assert admin.get("/admin/findings/violation/", {"q": "\x00"}).status_code == 400
