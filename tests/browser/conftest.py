"""Headless Chromium, one for the session; without it these tests skip and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from apps.tenancy.models import Tenant, User
from tests.fixtures.estate import PASSWORD

CANDIDATES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine: install it, or name it in CHROMIUM")
    with pytest.MonkeyPatch.context() as patch:
        # Playwright's loop runs in the test's own thread, where Django would take any query for a slip.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
            yield browser
            browser.close()


@dataclass
class Visit:
    """A signed-in page, and whatever its console complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def visit(
    chromium: Browser, transactional_db: None, live_server: LiveServer, tenant: Tenant
) -> Iterator[Callable[..., Visit]]:
    """`visit(user, width=…, dark=…)`: somebody who has signed in by the form that people use."""
    contexts = []

    def open_as(user: User, *, width: int = 1280, dark: bool = False) -> Visit:
        context = chromium.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        made = Visit(page)
        page.on("console", lambda m: made.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: made.complaints.append(str(error)))
        page.goto("/sign-in/")
        page.get_by_label("Tenant").fill(tenant.slug)
        page.get_by_label("User name").fill(user.upn)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Overview").wait_for()
        return made

    yield open_as
    for context in contexts:
        context.close()
