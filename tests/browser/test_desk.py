"""The desk in a real browser: the way to an exception, the strict CSP, a phone, the keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from apps.findings.models import PolicyException
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_rows
from tests.pages.test_access import DETAILS, LISTS

from .conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Visit]
# Dashboards and forms beside the lists and details of the access tests.
MORE = [
    "catalog:account-create", "catalog:account-list", "catalog:framework-import", "catalog:import-create",
    "findings:exception-create", "findings:exception-rules", "findings:framework-list", "findings:policy-paste",
    "findings:scan-create", "costs:allocation", "costs:anomaly-list", "costs:budget-create", "costs:budget-list",
    "costs:explorer", "costs:forecast", "costs:period-list", "costs:unit-costs", "archive:hold-create",
    "archive:hold-list", "archive:retention", "archive:window", "reports:report-create",
]  # fmt: skip
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def rows(users: dict[Role, User]) -> dict[str, Any]:
    with acting_as(users[Role.ADMIN]) as admin:
        return make_rows(admin)


def addresses(rows: dict[str, Any]) -> list[str]:
    fragments = ("jobs:job-progress",)
    details = [(v, r) for v, r in DETAILS.items() if v not in fragments]
    return [reverse(view) for view in LISTS] + [reverse(v, args=[rows[r].pk]) for v, r in details]


def test_from_a_violation_to_a_request_for_an_exception(
    visit: Open, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    seen = visit(users[Role.OPERATOR])
    page = seen.page
    page.get_by_role("link", name="Violations", exact=True).click()
    page.get_by_role("checkbox", name="High").focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("severity=high"))
    expect(page.get_by_role("checkbox", name="High")).to_be_focused()
    page.get_by_role("link", name="has no owner").click()
    expect(page.get_by_text("It would hide 1 open violation")).to_be_visible()
    page.get_by_label("What should be excepted?").select_option("policy")
    page.get_by_label("Why is this acceptable for a while?").fill("moves next month")
    page.get_by_label("Until the end of (UTC)").fill(f"{timezone.now() + timedelta(days=9):%Y-%m-%d}")
    page.get_by_role("button", name="Send to the approvers").click()
    expect(page.get_by_text("Your request is with the approvers")).to_be_visible()
    expect(page.get_by_text("nobody decides on what he asked for himself")).to_be_visible()
    assert seen.complaints == []
    with acting_as(users[Role.OPERATOR]) as user:
        made = PolicyException.objects.get(reason="moves next month")
        assert (made.status, made.created_by_id, made.resource_id) == ("pending", user.pk, None)


@pytest.mark.parametrize("dark", [False, True])
def test_no_page_breaks_the_content_security_policy(
    dark: bool, visit: Open, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    seen = visit(users[Role.ADMIN], dark=dark)
    for url in addresses(rows):
        seen.page.goto(url)
        expect(seen.page.get_by_role("heading", level=1)).to_be_visible()
    assert seen.complaints == []
    assert seen.page.locator("html").get_attribute("data-bs-theme") == ("dark" if dark else "light")


@pytest.mark.parametrize("dark", [False, True])
def test_every_page_keeps_the_accessibility_guidelines(
    dark: bool, visit: Open, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    """WCAG 2.2 A and AA, as far as axe-core can tell: names of controls, contrast, structure."""
    seen = visit(users[Role.ADMIN], dark=dark)
    told: dict[str, Any] = {}
    for url in [*addresses(rows), *map(reverse, MORE)]:
        answer = seen.page.goto(url)
        assert answer and answer.status == 200, url
        if found := Axe().run(seen.page, options={"runOnly": WCAG}).response["violations"]:
            told[url] = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
    assert told == {}


def test_nothing_scrolls_sideways_on_a_phone(
    visit: Open, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    page = visit(users[Role.ADMIN], width=390).page
    for url in addresses(rows):
        page.goto(url)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, url
    page.goto("/")
    expect(page.get_by_role("link", name="Resources", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Resources", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Resources")


def test_the_keyboard_reaches_the_content_and_the_search(
    visit: Open, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    page = visit(users[Role.VIEWER]).page
    page.goto("/resources/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("bucket-0")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="bucket-0", exact=True)).to_be_visible()


def test_the_chosen_colours_stay(visit: Open, users: dict[Role, User], rows: dict[str, Any]) -> None:
    page = visit(users[Role.VIEWER]).page
    page.get_by_role("button", name="Switch to dark colours").click()
    page.goto("/violations/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_role("button", name="Switch to light colours")).to_be_visible()
