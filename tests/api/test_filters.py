"""What the filters keep, and that a wrong value or an unknown parameter is an error that names it."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.utils import timezone

from apps.core.filters import StrictFilterSet
from apps.findings.models import PolicyException
from apps.findings.services.exceptions import approve_exception
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.api.conftest import Api
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db

ROOMS = ("actions", "audit", "catalog", "costs", "findings", "jobs", "reports", "tenancy")
PATHS = {
    "ResourceFilter": "resources/",
    "PolicyFilter": "policies/",
    "ImportRunFilter": "imports/",
    "ViolationFilter": "violations/",
    "RecommendationFilter": "recommendations/",
    "ExceptionFilter": "exceptions/",
    "ScanRunFilter": "scans/",
    "ActionFilter": "actions/",
    "AuditFilter": "audits/",
    "JobFilter": "jobs/",
    "ReportFilter": "reports/",
    "CostFilter": "costs/",
    "TokenFilter": "tokens/",
    "AnomalyFilter": "costs/anomalies/",
    "BudgetFilter": "costs/budgets/",
    "LineFilter": "costs/lines/",
    "PeriodFilter": "costs/periods/",
    "MetricFilter": "costs/metrics/",
    "CheckpointFilter": "audits/checkpoints/",
    "FrameworkFilter": "frameworks/",
    "ControlFilter": "frameworks/{framework}/controls/",
    "MappingFilter": "mappings/",
    "PastViolationFilter": "violations/as-of/",
    "PastExceptionFilter": "exceptions/as-of/",
}


def path_of(filterset: str, rows: dict[str, Any]) -> str:
    return PATHS[filterset].format(**{name: row.pk for name, row in rows.items()})


# What an endpoint always wants beside the parameter that is tried.
ALWAYS = {"PastViolationFilter": {"as_of": "2026-01-02"}, "PastExceptionFilter": {"as_of": "2026-01-02"}}


def filter_sets() -> dict[str, type[StrictFilterSet]]:
    return {
        name: value
        for room in ROOMS
        for name, value in vars(import_module(f"apps.{room}.filters")).items()
        if isinstance(value, type) and issubclass(value, StrictFilterSet) and value._meta.model
    }


PARAMETERS = [(name, p) for name, cls in filter_sets().items() for p in sorted(cls.parameters())]


def test_every_filter_set_has_its_endpoint() -> None:
    assert filter_sets().keys() == PATHS.keys()


@pytest.mark.parametrize(("filterset", "parameter"), PARAMETERS)
def test_a_wrong_value_is_an_error_that_names_the_parameter(
    filterset: str, parameter: str, viewer: Api, rows: dict[str, Any]
) -> None:
    status, body = viewer.get(path_of(filterset, rows), **{**ALWAYS.get(filterset, {}), parameter: "\x00"})
    assert (status, list(body["errors"])) == (400, [parameter])


GOOD = {
    "ChoicesFilter": lambda f: f.extra["choices"][0][0],
    "FlagFilter": lambda f: "false",
    "UUIDFilter": lambda f: "01900000-0000-7000-8000-000000000000",
    "TimeFilter": lambda f: "2026-01-01T00:00:00Z",
    "DayFilter": lambda f: "2026-01-01",
    "AsOfFilter": lambda f: "2026-01-01",
    "StateOfControl": lambda f: f.extra["choices"][0][0],
    "TagFilter": lambda f: "a=b",
    "LeastFilter": lambda f: "1.5",
}


@pytest.mark.parametrize(("filterset", "parameter"), PARAMETERS)
def test_every_filter_runs(filterset: str, parameter: str, viewer: Api, rows: dict[str, Any]) -> None:
    declared = filter_sets()[filterset].base_filters[parameter]
    good = GOOD.get(type(declared).__name__, lambda f: "abc")(declared)
    status, body = viewer.get(path_of(filterset, rows), **{**ALWAYS.get(filterset, {}), parameter: good})
    assert status == 200, body


@pytest.mark.parametrize("path", [*PATHS.values(), "resources/summary/", "violations/counts/", "me/"])
def test_an_unknown_parameter_is_refused_by_name(path: str, viewer: Api, rows: dict[str, Any]) -> None:
    path = path.format(**{name: row.pk for name, row in rows.items()})
    status, body = viewer.get(path, statsu="open")
    assert (status, list(body["errors"])) == (400, ["statsu"])


def test_resources_by_beginning_by_content_and_by_tag(viewer: Api, inside: Tenant) -> None:
    a = make_resource(1, name="Prod-db", tags={"env": "prod", "team": "a"})
    b = make_resource(2, name="prod-web", tags={"env": "prod"})
    c = make_resource(3, name="100%_done", tags={"env": "test", "note": "x=y"})

    def found(**query: Any) -> set[str]:
        return set(viewer.ids("resources/", **query))

    assert found(name="prod") == {b.pk}
    assert found(name="1") == {c.pk}
    assert found(native_id="arn:aws:s3:::bucket-2") == {b.pk}
    assert found(search="PROD") == {a.pk, b.pk}
    assert found(search="0%_") == {c.pk}
    assert found(search="bucket-3") == {c.pk}
    assert found(tag="env=prod") == {a.pk, b.pk}
    assert found(tag=["env=prod", "team=a"]) == {a.pk}
    assert found(tag="team") == {a.pk}
    assert found(tag="note=x=y") == {c.pk}
    assert found(provider=["aws", "gcp"]) == {a.pk, b.pk, c.pk}
    assert found(provider="gcp") == set()


def test_a_search_of_two_characters_is_refused(viewer: Api) -> None:
    status, body = viewer.get("resources/", search="ab")
    assert (status, list(body["errors"])) == (400, ["search"])


def test_violations_by_the_status_that_people_see(viewer: Api, inside: Tenant) -> None:
    policy, hour = make_policy(), timedelta(hours=1)
    now = timezone.now()
    is_open = make_violation(make_resource(0), policy)
    lapsed = make_violation(
        make_resource(1), policy, status="suppressed", suppressed_until=now - hour, severity="low"
    )
    suppressed = make_violation(make_resource(2), policy, status="suppressed", suppressed_until=now + hour)
    for_ever = make_violation(make_resource(3), policy, status="suppressed")
    fixed = make_violation(make_resource(4), policy, status="fixed")

    def found(**query: Any) -> set[str]:
        return set(viewer.ids("violations/", **query))

    assert found(shown_status="open") == {str(is_open.pk), str(lapsed.pk)}
    assert found(shown_status="suppressed") == {str(suppressed.pk), str(for_ever.pk)}
    assert found(shown_status=["open", "fixed"]) == {str(is_open.pk), str(lapsed.pk), str(fixed.pk)}
    assert found(status="suppressed") == {str(lapsed.pk), str(suppressed.pk), str(for_ever.pk)}
    assert found(severity="low") == {str(lapsed.pk)}
    assert found(resource=fixed.resource_id) == {str(fixed.pk)}
    assert len(found(policy=policy.pk, provider="aws", type="aws.s3")) == 5
    assert found(type="aws.ec2") == set()
    _, body = viewer.get(f"violations/{lapsed.pk}/")
    assert (body["status"], body["shown_status"]) == ("suppressed", "open")


def test_violations_by_when_they_were_seen(viewer: Api, inside: Tenant) -> None:
    policy, now = make_policy(), timezone.now()
    old = make_violation(make_resource(0), policy, first_seen=now - timedelta(days=9))
    new = make_violation(make_resource(1), policy, first_seen=now)
    cut = (now - timedelta(days=1)).isoformat()
    assert viewer.ids("violations/", first_seen_after=cut) == [str(new.pk)]
    assert viewer.ids("violations/", first_seen_before=cut) == [str(old.pk)]
    exact = now.isoformat()
    assert viewer.ids("violations/", first_seen_after=exact) == [str(new.pk)]
    assert viewer.ids("violations/", first_seen_before=exact) == [str(old.pk)]


def test_an_instant_of_any_zone_is_understood_or_refused_by_name(viewer: Api) -> None:
    assert viewer.get("audits/", created_after="2026-01-01T00:00:00+22:37")[0] == 200
    assert viewer.get("audits/", created_after="2026-01-01")[0] == 200
    status, body = viewer.get("audits/", created_after="0001-01-01T00:00:00+14:00")
    assert (status, list(body["errors"])) == (400, ["created_after"])


def test_exceptions_in_force(viewer: Api, inside: Tenant, users: dict[Role, User]) -> None:
    asker, soon = users[Role.OPERATOR], timezone.now() + timedelta(days=2)

    def ask(number: int, **values: Any) -> PolicyException:
        row = {"created_by": asker, "reason": "r", "resource": make_resource(number), "status": "pending"}
        return PolicyException.objects.create(**row, **values)

    pending, approved = ask(1, expires_at=soon), ask(2, expires_at=soon + timedelta(days=9))
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=approved)
    assert viewer.ids("exceptions/", in_force="true") == [str(approved.pk)]
    assert viewer.ids("exceptions/", in_force="false") == [str(pending.pk)]
    later = (soon + timedelta(days=1)).isoformat()
    assert viewer.ids("exceptions/", expires_before=later) == [str(pending.pk)]
    assert viewer.ids("exceptions/", requester=str(users[Role.VIEWER].pk)) == []
    assert len(viewer.ids("exceptions/", requester=str(asker.pk))) == 2


def test_audits_by_what_and_by_whom(viewer: Api, rows: dict[str, Any], users: dict[Role, User]) -> None:
    actor = f"user:{users[Role.OPERATOR].pk}"
    assert viewer.ids("audits/", action="tests.row", actor=actor) == [str(rows["audit"].pk)]
    assert viewer.ids("audits/", action="tests.row", actor="system:nobody") == []
    assert viewer.ids("audits/", target=rows["resource"].pk) == [str(rows["audit"].pk)]
