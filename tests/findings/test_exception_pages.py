"""Exceptions on pages and API: asking for a filtered set, previews, renewing, closing, rules; without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.findings.models import PolicyException
from apps.findings.services.exceptions import approve_exception
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
JSON = "application/json"


@pytest.fixture
def operator(users: Users) -> Client:
    """An operator's browser; three violations, of which two are low."""
    with acting_as(users[Role.OPERATOR]):
        policy = make_policy()
        for number, severity in enumerate(("low", "low", "high")):
            make_violation(make_resource(number), policy, severity=severity)
    return browser(users[Role.OPERATOR])


def last_day(days: int) -> str:
    return f"{timezone.now().date() + timedelta(days=days):%Y-%m-%d}"


def only(users: Users) -> PolicyException:
    with acting_as(users[Role.OPERATOR]):
        return PolicyException.objects.select_related("policy").get()


def granted(users: Users) -> PolicyException:
    with acting_as(users[Role.APPROVER]):
        return approve_exception(exception=PolicyException.objects.get())


def ask_for_low(client: Client, **given: Any) -> Any:
    form = {"filters": "severity=low", "reason": "Sandbox", "expires_at": last_day(20)} | given
    return client.post("/exceptions/new/", form)


def test_the_filtered_list_leads_to_the_form_and_the_form_to_a_request(
    operator: Client, users: Users
) -> None:
    assert "Ask for an exception for all" not in operator.get("/violations/").content.decode()
    page = operator.get("/violations/?severity=low&shown_status=open").content.decode()
    assert "/exceptions/new/?filters=severity%3Dlow" in page
    form = operator.get("/exceptions/new/?filters=severity%3Dlow").content.decode()
    assert "Severity low" in form
    assert 'name="later"' in form
    asked = ask_for_low(operator, later="on", compensating_control="No route out")
    exception = only(users)
    assert asked["Location"] == f"/exceptions/{exception.pk}/"
    assert exception.selector == {"severity": ["low"], "later": True}
    assert (exception.compensating_control, exception.policy_id) == ("No route out", None)
    detail = operator.get(asked["Location"]).content.decode()
    assert "It would hide 2 open violations" in detail
    assert "Severity low, also later ones" in detail


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"filters": "last_seen_after=2026-01-01"}, "changes with time"),
        ({"filters": "severity=grave"}, "severity"),
        ({"filters": "colour=red"}, "no filter colour"),
        ({"expires_at": ""}, "required"),
        ({"expires_at": "2099-01-01"}, "at most 365 days"),
        ({"renews": "00000000-0000-0000-0000-000000000000"}, "404"),
    ],
)
def test_what_is_wrong_is_said_on_the_form(
    operator: Client, users: Users, given: dict[str, str], said: str
) -> None:
    answer = ask_for_low(operator, **given)
    if said == "404":
        assert answer.status_code == 404
    else:
        assert answer.status_code == 422
        assert said in answer.content.decode()
    with acting_as(users[Role.OPERATOR]):
        assert not PolicyException.objects.exists()


def test_a_preview_tells_impact_and_longest_term(operator: Client) -> None:
    page = operator.get("/exceptions/preview/", {"filters": "severity=low"}).content.decode()
    assert "It would hide 2 open violations" in page
    assert "it may last 365 days" in page
    body = {"filters": {"severity": ["low", "high"]}}
    answer = operator.post("/api/v1/exceptions/preview/", body, content_type=JSON).json()
    assert answer["by_severity"] == {"low": 2, "high": 1}
    assert (answer["violations"], answer["risk"], answer["longest_days"]) == (3, "high", 90)
    assert answer["words"].startswith("hides 3 open violations, 1 high, 2 low, the oldest since")


def test_renewing_on_the_page_keeps_the_scope(operator: Client, users: Users) -> None:
    ask_for_low(operator)
    former = granted(users)
    assert "Renew it" in operator.get(f"/exceptions/{former.pk}/").content.decode()
    form = operator.get(f"/exceptions/new/?renews={former.pk}").content.decode()
    assert "Sandbox" in form
    sent = {"renews": former.pk, "reason": "Still a sandbox", "expires_at": last_day(40)}
    assert operator.post("/exceptions/new/", sent).status_code == 302
    with acting_as(users[Role.OPERATOR]):
        renewal = PolicyException.objects.get(renews=former)
    assert (renewal.renewal, renewal.selector) == (1, former.selector)


def test_closing_asks_once_more_and_is_for_the_requester_and_approvers(
    operator: Client, users: Users
) -> None:
    ask_for_low(operator)
    exception = granted(users)
    path = f"/exceptions/{exception.pk}/close/"
    refused = browser(users[Role.VIEWER]).post(path, {"reason": "mine"})
    assert "by whoever asked for it, or by an approver" in refused.content.decode()
    assert operator.get(path).status_code == 200
    assert only(users).status == "approved"
    operator.post(path, {"reason": "Cleaned up"})
    assert (only(users).end_kind, only(users).end_reason) == ("closed", "Cleaned up")


def test_the_api_asks_closes_and_names_what_is_wrong(operator: Client, users: Users) -> None:
    term = (timezone.now() + timedelta(days=10)).isoformat()
    body = {"filters": {"severity": ["low"]}, "reason": "r", "expires_at": term}

    def post(path: str, sent: dict[str, Any]) -> Any:
        return operator.post(f"/api/v1/exceptions/{path}", sent, content_type=JSON)

    for wrong, field in (
        ({"filters": {"colour": "red"}}, "colour"),
        ({"filters": {}}, "filters"),
        ({"filters": {"severity": "low"}, "policy_id": "p"}, "filters"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
        ({"renews": "00000000-0000-0000-0000-000000000000"}, "renews"),
    ):
        answer = post("", body | wrong)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), wrong
    made = post("", body).json()
    assert (made["selector"], made["shown_status"]) == ({"severity": ["low"], "later": False}, "pending")
    assert operator.get(f"/api/v1/exceptions/{made['id']}/impact/").json()["violations"] == 2
    granted(users)
    closed = post(f"{made['id']}/close/", {"reason": "done"}).json()
    assert (closed["status"], closed["end_kind"], closed["ended_by"]) == (
        "expired", "closed", str(users[Role.OPERATOR].pk),
    )  # fmt: skip


def test_an_admin_sets_the_rules_and_they_bind(operator: Client, users: Users) -> None:
    admin = browser(users[Role.ADMIN])
    form = {"critical": 7, "high": 14, "medium": 30, "low": 10, "warn_days": "3, 1"}
    assert admin.post("/exceptions/rules/", form).status_code == 302
    assert admin.get("/api/v1/exceptions/rules/").json() == {
        "longest_days": {"critical": 7, "high": 14, "medium": 30, "low": 10}, "endless": False,
        "warn_days": [3, 1],
    }  # fmt: skip
    assert "at most 10 days" in ask_for_low(operator).content.decode()
    answer = admin.put(
        "/api/v1/exceptions/rules/",
        {"longest_days": {"low": 30}, "endless": True, "warn_days": []},
        content_type=JSON,
    )
    assert answer.json()["longest_days"]["low"] == 30
    assert ask_for_low(operator, expires_at="").status_code == 302
    for wrong in ({"warn_days": "soon"}, {"low": 0}):
        assert admin.post("/exceptions/rules/", form | wrong).status_code == 422


def test_a_list_finds_what_could_be_closed_and_exports_everything(operator: Client, users: Users) -> None:
    ask_for_low(operator)
    exception = granted(users)
    assert operator.get("/api/v1/exceptions/?closable=true").json()["results"] == []
    with acting_as(users[Role.APPROVER]):
        PolicyException.objects.update(idle_since=timezone.now())
    found = operator.get("/api/v1/exceptions/?closable=true").json()["results"]
    assert [row["id"] for row in found] == [str(exception.pk)]
    assert "It can be closed" in operator.get(f"/exceptions/{exception.pk}/").content.decode()
    exported = b"".join(operator.get("/exceptions/?closable=true&export=csv")).decode()  # type: ignore[arg-type]
    assert "decision_sha256" in exported
    assert exception.decision_sha256 in exported
    queue = browser(users[Role.APPROVER]).get("/admin/findings/policyexception/?status=closable")
    assert queue.context["cl"].result_count == 1
