"""What people send: it calls one service, and what the service refuses stands where it belongs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import Audit
from apps.catalog.models import Policy
from apps.findings.models import PolicyException
from apps.findings.services.exceptions import approve_exception
from apps.jobs.models import Job
from apps.reports.models import Report
from apps.tenancy.models import ApiToken, User
from apps.tenancy.roles import Role
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_policy, make_violation

pytestmark = pytest.mark.django_db


def asked(rows: dict[str, Any], **changes: str) -> dict[str, str]:
    sent = {
        "policy": rows["policy"].pk,
        "resource": rows["resource"].pk,
        "scope": "both",
        "reason": "moves next month",
        "expires_at": f"{timezone.now().date() + timedelta(days=30):%Y-%m-%d}",
    }
    return sent | changes


def test_asking_for_an_exception_makes_a_pending_one_in_ones_own_name(
    operator: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    answer = operator.post("/exceptions/new/", asked(rows), follow=True)
    assert "with the approvers" in answer.content.decode()
    with acting_as(users[Role.OPERATOR]) as user:
        made = PolicyException.objects.get(reason="moves next month")
        assert (made.status, made.created_by_id, made.policy_id) == ("pending", user.pk, rows["policy"].pk)
        assert made.expires_at is not None
        assert made.expires_at.date() == timezone.now().date() + timedelta(days=31)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "This field is required"),
        ({"expires_at": "2020-01-01"}, "in the past"),
        ({"policy": "p-none"}, "no policy with this id"),
        ({"policy": "", "resource": ""}, "Name a policy, a resource, or both"),
    ],
)
def test_a_wrong_request_is_shown_again_and_changes_nothing(
    changes: dict[str, str], said: str, operator: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    answer = operator.post("/exceptions/new/", asked(rows, **changes))
    assert answer.status_code == 422 and said in answer.content.decode()
    with acting_as(users[Role.OPERATOR]):
        assert PolicyException.objects.count() == 1


def test_the_preview_counts_what_would_be_hidden(
    operator: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    with acting_as(users[Role.OPERATOR]):
        make_violation(rows["resource"], make_policy("second"), severity="critical")
    one = operator.get("/exceptions/preview/", asked(rows)).content.decode()
    assert "hide 1 open violation<" in one
    all_of_it = operator.get("/exceptions/preview/", asked(rows, scope="resource")).content.decode()
    assert "hide 2 open violations<" in all_of_it and "critical" in all_of_it


def test_a_violation_under_an_approved_exception_shows_it_and_who_decided(
    operator: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    operator.post("/exceptions/new/", asked(rows))
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=PolicyException.objects.get(reason="moves next month"))
    html = operator.get(reverse("findings:violation-detail", args=[rows["violation"].pk])).content.decode()
    assert "excepted" in html and "moves next month" in html
    assert str(users[Role.APPROVER]) in html and "Send to the approvers" not in html


def test_a_scan_that_is_started_is_a_job_with_progress(operator: Client, rows: dict[str, Any]) -> None:
    answer = operator.post("/scans/new/", {"mode": "full"}, follow=True)
    html = answer.content.decode()
    assert answer.redirect_chain[0][0].startswith("/jobs/")
    assert "hx-get" in html and "queued" in html


def test_a_security_scan_is_started_by_the_same_page(operator: Client, users: dict[Role, User]) -> None:
    answer = operator.post("/scans/new/", {"mode": "full", "kind": "security"}, follow=True)
    assert "Security scan" in answer.content.decode()
    with acting_as(users[Role.OPERATOR]):
        assert Job.objects.get().queue == "scans.security"


def test_a_finished_job_stops_the_polling(
    viewer: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    url = reverse("jobs:job-progress", args=[rows["job"].pk])
    assert viewer.get(url).status_code == 200
    with acting_as(users[Role.ADMIN]):
        Job.objects.filter(pk=rows["job"].pk).update(status="succeeded")
    answer = viewer.get(f"{url}?page=job")
    assert answer.status_code == 286 and answer["HX-Refresh"] == "true"
    assert "hx-get" not in answer.content.decode()


def test_cancelling_twice_is_told_as_a_message(admin: Client, rows: dict[str, Any]) -> None:
    url = reverse("jobs:job-cancel", args=[rows["job"].pk])
    assert "asked to stop" in admin.post(url, follow=True).content.decode()
    answer = admin.post(url, follow=True)
    assert answer.status_code == 200 and "already cancelled" in answer.content.decode()


def test_a_policy_is_switched_off_and_a_refused_switch_is_told(
    admin: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    url = reverse("catalog:policy-switch", args=[rows["policy"].pk])
    admin.post(url, {"to": "disabled"})
    with acting_as(users[Role.ADMIN]):
        assert Policy.objects.get(pk=rows["policy"].pk).status == "disabled"
        refused = make_policy(
            "refused",
            status="unsupported",
            metadata={"refusals": [{"path": "$.if", "reason": "no such operator"}]},
        )
    url = reverse("catalog:policy-switch", args=[refused.pk])
    html = admin.post(url, {"to": "active"}, follow=True).content.decode()
    assert "can&#x27;t go from unsupported to active" in html
    assert "no such operator" in html and "$.if" in html


def test_a_token_is_shown_once_and_ends_at_once(
    operator: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    sent = {"name": "nightly", "scopes": ["read"], "expires_on": f"{timezone.now().date():%Y-%m-%d}"}
    answer = operator.post("/tokens/new/", sent)
    found = re.search(r'value="(gov_[^"]+)"', answer.content.decode())
    assert found is not None and answer["Cache-Control"] == "no-store"
    program = Client(headers={"Authorization": f"Bearer {found[1]}"})
    assert program.get("/api/v1/me/").status_code == 200
    assert found[1] not in operator.get("/tokens/").content.decode()
    with acting_as(users[Role.OPERATOR]):
        token = ApiToken.objects.get(name="nightly")
    assert b"Revoke it" in operator.get(f"/tokens/{token.pk}/revoke/").content
    operator.post(f"/tokens/{token.pk}/revoke/")
    assert program.get("/api/v1/me/").status_code == 401
    with acting_as(users[Role.OPERATOR]):
        assert Audit.objects.filter(action="tenancy.token.revoked", target_id=str(token.pk)).exists()


def test_a_scope_beyond_the_role_and_another_persons_token_are_refused(
    operator: Client, approver: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    sent = {"name": "x", "scopes": ["manage"], "expires_on": f"{timezone.now().date():%Y-%m-%d}"}
    assert operator.post("/tokens/new/", sent).status_code == 422
    operator.post("/tokens/new/", sent | {"scopes": ["read"]})
    with acting_as(users[Role.OPERATOR]):
        token = ApiToken.objects.get(name="x")
    assert approver.post(f"/tokens/{token.pk}/revoke/").status_code == 404


def test_a_report_is_asked_for_by_its_period(
    viewer: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    today = f"{timezone.now().date():%Y-%m-%d}"
    answer = viewer.post("/reports/new/", {"period_from": "2026-01-01", "period_to": today}, follow=True)
    assert "is being built" in answer.content.decode()
    wrong = viewer.post("/reports/new/", {"period_from": today, "period_to": "2026-01-01"})
    assert wrong.status_code == 422 and "ends before it begins" in wrong.content.decode()
    with acting_as(users[Role.VIEWER]):
        assert Report.objects.count() == 2


def test_a_finished_report_lists_its_files_with_their_checksums(
    viewer: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    files = [{"path": "violations.csv", "size": 1234, "sha256": "ab" * 32}]
    with acting_as(users[Role.ADMIN]):
        Report.objects.filter(pk=rows["report"].pk).update(status="succeeded", manifest={"files": files})
    html = viewer.get(reverse("reports:report-detail", args=[rows["report"].pk])).content.decode()
    assert "violations.csv" in html and "1,234" in html and "ab" * 32 in html
    assert reverse("reports:report-download", args=[rows["report"].pk]) in html
