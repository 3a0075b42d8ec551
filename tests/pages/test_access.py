"""Every page by URL name: who may open it, and that another tenant's object is not there."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser

pytestmark = pytest.mark.django_db

LISTS = (
    "desk:home",
    "desk:search",
    "catalog:resource-list",
    "catalog:policy-list",
    "catalog:import-list",
    "findings:violation-list",
    "findings:latest-open",
    "findings:exception-list",
    "findings:scan-list",
    "findings:recommendation-list",
    "actions:action-list",
    "actions:needing-approval",
    "costs:cost-list",
    "jobs:job-list",
    "audit:audit-list",
    "reports:report-list",
    "tenancy:token-list",
    "tenancy:token-create",
)
DETAILS = {
    "catalog:resource-detail": "resource",
    "catalog:policy-detail": "policy",
    "catalog:import-detail": "import",
    "findings:violation-detail": "violation",
    "findings:exception-detail": "exception",
    "findings:scan-detail": "scan",
    "actions:action-detail": "action",
    "jobs:job-detail": "job",
    "jobs:job-progress": "job",
    "reports:report-detail": "report",
}
VIEWER, OPERATOR, APPROVER, ADMIN = Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.ADMIN
# Pages and buttons that not everybody may use: (URL name, row, method) → who may.
GUARDED = {
    ("catalog:import-create", "", "get"): {OPERATOR, ADMIN},
    ("findings:scan-create", "", "get"): {OPERATOR, ADMIN},
    ("findings:exception-create", "", "get"): {OPERATOR, APPROVER, ADMIN},
    ("findings:exception-preview", "", "get"): {OPERATOR, APPROVER, ADMIN},
    ("reports:report-create", "", "get"): set(Role),
    ("catalog:policy-parameters", "policy", "get"): {ADMIN},
    ("catalog:policy-switch", "policy", "post"): {ADMIN},
    ("jobs:job-cancel", "job", "post"): {ADMIN},
}


def address(view: str, rows: dict[str, Any], row: str = "") -> str:
    return reverse(view, args=[rows[row].pk] if row else [])


@pytest.mark.parametrize("view", LISTS)
def test_a_list_opens_for_a_viewer_and_leads_strangers_to_the_sign_in(
    view: str, viewer: Client, rows: dict[str, Any]
) -> None:
    assert viewer.get(reverse(view)).status_code == 200
    refused = Client().get(reverse(view))
    assert refused.status_code == 302
    assert refused["Location"].startswith(reverse("tenancy:sign-in"))


@pytest.mark.parametrize(("view", "row"), DETAILS.items())
def test_a_detail_opens_for_a_viewer_and_is_not_there_for_another_tenant(
    view: str, row: str, viewer: Client, rows: dict[str, Any], other_users: dict[Role, User]
) -> None:
    assert viewer.get(address(view, rows, row)).status_code == 200
    stranger = browser(other_users[Role.ADMIN])
    assert stranger.get(address(view, rows, row)).status_code == 404
    assert Client().get(address(view, rows, row)).status_code == 302


@pytest.mark.parametrize(("view", "row", "method"), GUARDED)
def test_a_guarded_page_answers_403_to_every_other_role(
    view: str, row: str, method: str, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    may = GUARDED[view, row, method]
    for role, user in users.items():
        answer = getattr(browser(user), method)(address(view, rows, row))
        assert (answer.status_code == 403) == (role not in may), (role, answer.status_code)


@pytest.mark.parametrize(
    ("view", "row"),
    [
        ("catalog:policy-switch", "policy"),
        ("jobs:job-cancel", "job"),
        ("catalog:policy-parameters", "policy"),
    ],
)
def test_a_command_does_not_reach_another_tenants_object(
    view: str, row: str, rows: dict[str, Any], other_users: dict[Role, User]
) -> None:
    answer = browser(other_users[Role.ADMIN]).post(address(view, rows, row), {"to": "disabled"})
    assert answer.status_code == 404


def test_a_viewer_is_not_offered_what_his_role_forbids(viewer: Client, rows: dict[str, Any]) -> None:
    home = viewer.get("/").content.decode()
    assert "Scan now" not in home and "Import a file" not in home
    detail = viewer.get(address("findings:violation-detail", rows, "violation")).content.decode()
    assert "Send to the approvers" not in detail
    policy = viewer.get(address("catalog:policy-detail", rows, "policy")).content.decode()
    assert "Disable" not in policy


def test_the_pages_of_errors_are_ours_and_tell_what_to_do(viewer: Client, rows: dict[str, Any]) -> None:
    missing = viewer.get("/nothing/here/")
    assert missing.status_code == 404 and b"There is nothing here" in missing.content
    forbidden = viewer.get(reverse("catalog:import-create"))
    assert forbidden.status_code == 403 and b"Your role does not allow this" in forbidden.content
    stale = Client(enforce_csrf_checks=True).post(reverse("tenancy:sign-in"), {})
    assert stale.status_code == 403 and b"gone stale" in stale.content


def test_no_page_writes_script_or_style_into_its_html(admin: Client, rows: dict[str, Any]) -> None:
    addresses = [reverse(view) for view in LISTS]
    addresses += [address(view, rows, row) for view, row in DETAILS.items()]
    for url in addresses:
        answer = admin.get(url)
        html = answer.content.decode()
        assert " style=" not in html and "<style" not in html and " onclick=" not in html, url
        assert "<script>" not in html, url
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy
