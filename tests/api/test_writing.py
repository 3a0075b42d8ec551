"""What is changed through the API: exceptions, scans, policies, jobs, reports, tokens."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import Audit
from apps.catalog.services import import_policies
from apps.findings.models import PolicyException, Violation
from apps.jobs.models import Job
from apps.tenancy.models import ApiToken, Tenant, User
from apps.tenancy.roles import Role
from tests.api.conftest import Api
from tests.fixtures.clients import program
from tests.fixtures.estate import UNOWNED_BUCKETS, import_policy
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db


def ask(api: Api, **body: Any) -> dict[str, Any]:
    term = (timezone.now() + timedelta(days=10)).isoformat()
    status, exception = api.post("exceptions/", {"reason": "for now", "expires_at": term} | body)
    assert status == 201, exception
    return dict(exception)


def test_an_exception_is_asked_for_and_approved_by_somebody_else(
    operator: Api, approver: Api, viewer: Api, inside: Tenant, users: dict[Role, User]
) -> None:
    violation = make_violation(make_resource(), make_policy())
    expires = (timezone.now() + timedelta(days=3)).isoformat()
    made = ask(operator, policy_id=violation.policy_id, expires_at=expires)
    assert (made["status"], made["created_by"]) == ("pending", str(users[Role.OPERATOR].pk))
    assert viewer.get(f"violations/{violation.pk}/")[1]["shown_status"] == "open"

    status, approved = approver.post(f"exceptions/{made['id']}/approve/", {"reason": "agreed"})
    assert (status, approved["status"]) == (200, "approved")
    assert approved["decided_by"] == str(users[Role.APPROVER].pk)
    _, shown = viewer.get(f"violations/{violation.pk}/")
    assert (shown["shown_status"], shown["exception_id"]) == ("suppressed", made["id"])

    status, problem = approver.post(f"exceptions/{made['id']}/approve/")
    assert (status, problem["type"]) == (409, "urn:governance:problem:illegal-transition")

    status, revoked = approver.post(f"exceptions/{made['id']}/revoke/", {"reason": "fixed now"})
    assert (status, revoked["status"]) == (200, "expired")
    assert viewer.get(f"violations/{violation.pk}/")[1]["shown_status"] == "open"


def test_nobody_approves_what_he_asked_for(approver: Api, inside: Tenant) -> None:
    made = ask(approver, policy_id=make_policy().pk)
    status, problem = approver.post(f"exceptions/{made['id']}/approve/")
    assert (status, problem["type"]) == (403, "urn:governance:problem:four-eyes")
    assert PolicyException.objects.get(pk=made["id"]).status == "pending"


def test_an_approvers_token_without_the_scope_approve_decides_nothing(
    operator: Api, inside: Tenant, users: dict[Role, User]
) -> None:
    made = ask(operator, policy_id=make_policy().pk)
    without = Api(program(users[Role.APPROVER], ["read", "request", "manage"]))
    assert without.post(f"exceptions/{made['id']}/approve/")[0] == 403
    within = Api(program(users[Role.APPROVER], ["approve"]))
    assert within.post(f"exceptions/{made['id']}/approve/")[0] == 200
    actor = Audit.objects.get(action="findings.exception.approved").actor
    assert actor.startswith("token:")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"policy_id": "p-none"}, "policy_id"),
        ({"resource_id": "r-none"}, "resource_id"),
        ({}, "policy"),
        ({"policy_id": "p-none", "reason": ""}, "reason"),
        ({"policy_id": "p-none", "reason": "a\x00b"}, "reason"),
        ({"policy_id": "p-none", "expires_at": "soon"}, "expires_at"),
        ({"policy_id": "p-none", "expire_at": "2030-01-01T00:00:00Z"}, "expire_at"),
    ],
)
def test_a_wrong_request_names_the_field_and_makes_nothing(
    body: dict[str, Any], field: str, operator: Api, inside: Tenant
) -> None:
    status, problem = operator.post("exceptions/", {"reason": "r"} | body)
    assert (status, list(problem["errors"])) == (400, [field])
    assert not PolicyException.objects.exists()


def test_a_term_that_is_over_is_refused(operator: Api, inside: Tenant) -> None:
    past = (timezone.now() - timedelta(days=1)).isoformat()
    body = {"policy_id": make_policy().pk, "reason": "r", "expires_at": past}
    status, problem = operator.post("exceptions/", body)
    assert (status, list(problem["errors"])) == (400, ["expires_at"])


def test_another_tenants_policy_is_none(
    operator: Api, rows: dict[str, Any], other_users: dict[Role, User]
) -> None:
    from tests.fixtures.clients import browser

    stranger = Api(browser(other_users[Role.OPERATOR]))
    status, problem = stranger.post("exceptions/", {"policy_id": rows["policy"].pk, "reason": "r"})
    assert (status, list(problem["errors"])) == (400, ["policy_id"])


def test_a_scan_is_a_job_that_can_be_watched_and_cancelled(operator: Api, inside: Tenant) -> None:
    response = operator.client.post(
        "/api/v1/scans/", {"mode": "incremental"}, content_type="application/json"
    )
    assert response.status_code == 202
    job = response.json()
    assert (job["type"], job["status"], job["params"]) == ("scans.policy", "queued", {"mode": "incremental"})
    assert operator.client.get(response["Location"]).json()["id"] == job["id"]
    status, cancelled = operator.post(f"jobs/{job['id']}/cancel/")
    assert (status, cancelled["status"], cancelled["is_finished"]) == (200, "cancelled", True)
    assert operator.post(f"jobs/{job['id']}/cancel/")[0] == 409


def test_an_unknown_mode_of_scan_is_refused(operator: Api, inside: Tenant) -> None:
    status, problem = operator.post("scans/", {"mode": "half"})
    assert (status, list(problem["errors"])) == (400, ["mode"])
    assert not Job.objects.exists()


LOCATION_POLICY = {
    "name": "only-here",
    "properties": {
        "displayName": "Only here",
        "mode": "All",
        "parameters": {"place": {"type": "String"}},
        "policyRule": {
            "if": {"field": "location", "notEquals": "[parameters('place')]"},
            "then": {"effect": "audit"},
        },
    },
}


def test_a_policy_is_disabled_and_enabled(admin: Api, in_tenant: Tenant) -> None:
    import_policy(UNOWNED_BUCKETS)
    (pk,) = admin.ids("policies/")
    assert admin.post(f"policies/{pk}/status/", {"status": "disabled"})[1]["status"] == "disabled"
    assert admin.post(f"policies/{pk}/status/", {"status": "disabled"})[0] == 409
    assert admin.post(f"policies/{pk}/status/", {"status": "active"})[1]["status"] == "active"


def test_a_policy_that_lacks_a_parameter_is_active_once_it_has_it(admin: Api, in_tenant: Tenant) -> None:
    import_policies(source=io.BytesIO(json.dumps(LOCATION_POLICY).encode()), name="policy.json")
    (pk,) = admin.ids("policies/", status="needs_parameters")
    assert admin.get(f"policies/{pk}/")[1]["definition"]["name"] == "only-here"
    status, policy = admin.put(f"policies/{pk}/parameters/", {"parameters": {"place": "westeurope"}})
    assert (status, policy["status"], policy["parameters"]) == (200, "active", {"place": "westeurope"})


@pytest.mark.parametrize("value", [[], "x", None, {"a": "\x00"}, {"\x00": 1}, {"a": ["\ud800"]}])
def test_parameters_are_an_object_that_can_be_stored(value: Any, admin: Api, rows: dict[str, Any]) -> None:
    status, problem = admin.put(f"policies/{rows['policy'].pk}/parameters/", {"parameters": value})
    assert (status, list(problem["errors"])) == (400, ["parameters"])


def test_a_report_is_asked_for_and_not_there_yet(viewer: Api, inside: Tenant) -> None:
    today = timezone.now().date()
    body = {"period_from": str(today - timedelta(days=7)), "period_to": str(today)}
    status, report = viewer.post("reports/", body)
    assert (status, report["status"]) == (202, "queued")
    assert viewer.get(f"jobs/{report['job_id']}/")[0] == 200
    status, problem = viewer.get(f"reports/{report['id']}/download/")
    assert (status, problem["type"]) == (409, "urn:governance:problem:stale-state")


def test_a_period_that_ends_before_it_begins_is_refused(viewer: Api, inside: Tenant) -> None:
    body = {"period_from": str(date(2026, 2, 1)), "period_to": str(date(2026, 1, 1))}
    status, problem = viewer.post("reports/", body)
    assert status == 400
    assert problem["errors"]


def test_a_token_is_shown_once_works_and_ends(viewer: Api, inside: Tenant) -> None:
    expires = (timezone.now() + timedelta(days=1)).isoformat()
    status, made = viewer.post("tokens/", {"name": "ci", "scopes": ["read"], "expires_at": expires})
    assert status == 201
    api = Api(viewer.client.__class__(headers={"Authorization": f"Bearer {made['text']}"}))
    assert api.get("me/")[1]["role"] == "viewer"
    assert viewer.get(f"tokens/{made['id']}/")[1].keys() == made.keys() - {"text"}

    child = {"name": "child", "scopes": ["read"], "expires_at": expires}
    assert api.post("tokens/", child)[0] == 403
    other = program(ApiToken.objects.get(pk=made["id"]).user, ["read"])
    assert Api(other).post(f"tokens/{made['id']}/revoke/")[0] == 403
    assert api.post(f"tokens/{made['id']}/revoke/")[0] == 200
    assert api.get("me/")[0] == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": ""}, "name"),
    ],
)
def test_a_wrong_token_names_the_field(body: dict[str, Any], field: str, viewer: Api) -> None:
    good = {"name": "n", "scopes": ["read"], "expires_at": "2999-01-01T00:00:00Z"}
    status, problem = viewer.post("tokens/", good | body)
    assert (status, list(problem["errors"])) == (400, [field])


def test_an_error_answer_changes_nothing(approver: Api, inside: Tenant, monkeypatch: Any) -> None:
    from apps.core.errors import StaleState
    from apps.findings import api_exceptions

    made = ask(approver, policy_id=make_policy().pk)

    def write_then_fail(**_: Any) -> None:
        PolicyException.objects.update(end_reason="half done")
        raise StaleState("somebody else was first")

    monkeypatch.setattr(api_exceptions, "reject_exception", write_then_fail)
    assert approver.post(f"exceptions/{made['id']}/reject/", {"reason": "no"})[0] == 409
    assert PolicyException.objects.get().end_reason == ""
    assert not Violation.objects.exists()
