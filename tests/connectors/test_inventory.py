"""Each cloud's inventory to its end: pages, a storm of 429, a real kill between pages and a resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.connectors import listing
from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.azure import inventory as azure_inventory
from apps.connectors.clouds import connect
from apps.connectors.errors import CloudAway, CloudError, CloudInvalid
from apps.connectors.gcp import inventory as gcp_inventory
from apps.connectors.ibm import inventory as ibm_inventory
from apps.connectors.records import ResourceRecord
from tests.fakes import azure, gcp, ibm
from tests.fakes.server import Fake

CLOUDS = ("azure", "gcp", "ibm")
MODULES: dict[str, Any] = {"azure": azure_inventory, "gcp": gcp_inventory, "ibm": ibm_inventory}
ACCOUNTS = {"azure": azure.SUBSCRIPTION, "gcp": gcp.PROJECT, "ibm": ibm.ACCOUNT}
MADE: dict[str, Callable[[], Fake]] = {"azure": azure.FakeAzure, "gcp": gcp.FakeGcp, "ibm": ibm.FakeIbm}
EACH = 10  # machines and as many buckets: three pages of SIZE
SIZE = 8
NOBODY = CredentialReference("environment", {"prefix": "NOBODY"})

each_cloud = pytest.mark.parametrize("provider", CLOUDS)


@pytest.fixture
def fake(provider: str) -> Iterator[Any]:
    with MADE[provider]() as made:
        for number in range(EACH):
            made.add_machine(f"machine{number:02}", **_tagged(provider, number))  # type: ignore[attr-defined]
            (made.add_storage if provider == "azure" else made.add_bucket)(f"store{number:02}")  # type: ignore[attr-defined]
        yield made


def _tagged(provider: str, number: int) -> dict[str, Any]:
    return {"labels" if provider == "gcp" else "tags": {"env": "prod" if number % 2 else "dev"}}


def _pages(provider: str, fake: Fake, token: str | None = None) -> Iterator[listing.Page]:
    access = AccountAccess(provider, ACCOUNTS[provider], NOBODY, endpoint_url=fake.url)
    return MODULES[provider].pages(connect(access), token, size=SIZE)  # type: ignore[no-any-return]


def _names(pages: Iterator[listing.Page]) -> list[str]:
    found = []
    for page in pages:
        for record in page.records:
            assert isinstance(record, ResourceRecord), record
            found.append(record.name)
    return found


def _expected() -> set[str]:
    return {f"{kind}{number:02}" for kind in ("machine", "store") for number in range(EACH)}


@each_cloud
def test_every_resource_is_listed_once_in_pages(provider: str, fake: Fake) -> None:
    pages = list(_pages(provider, fake))
    names = _names(iter(pages))
    assert len(names) == len(set(names))
    assert set(names) >= _expected()
    assert len([page for page in pages if page.records]) >= 3
    assert pages[-1].token is None
    assert all(page.token for page in pages[:-1])


@each_cloud
def test_each_record_has_its_account_tags_and_state(provider: str, fake: Fake) -> None:
    records = {record.name: record for page in _pages(provider, fake) for record in page.records}
    machine = records["machine03"]
    assert machine.account == ACCOUNTS[provider]
    assert machine.tags == {"env": "prod"}
    assert machine.status == "running"
    assert machine.region
    assert records["store03"].document


@each_cloud
def test_a_storm_of_429_slows_the_listing_and_loses_nothing(
    provider: str, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(listing.time, "sleep", waits.append)
    for _ in range(6):
        fake.throttle(3, 2)
        fake.break_(times=1)
        fake.let()
    names = _names(_pages(provider, fake))
    assert set(names) >= _expected()
    assert len(names) == len(set(names))
    assert sum(wait >= 2 for wait in waits) >= 9, waits


@each_cloud
def test_a_cloud_that_stays_away_ends_in_its_error_and_the_token_still_holds(
    provider: str, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing.time, "sleep", lambda seconds: None)
    pages, seen, token = _pages(provider, fake), list[str](), ""
    first = next(pages)
    seen, token = [record.name for record in first.records], first.token or ""
    fake.break_(times=10_000)
    with pytest.raises(CloudAway):
        next(pages)
    fake.heal()
    names = seen + _names(_pages(provider, fake, token))
    assert set(names) >= _expected()
    assert len(names) == len(set(names))


@each_cloud
def test_a_token_that_the_cloud_has_forgotten_loses_nothing(provider: str, fake: Any) -> None:
    first = next(_pages(provider, fake))
    token = first.token or ""
    if provider == "azure":
        fake.forgotten_tokens.add(json.loads(token)["skip"])
    elif provider == "gcp":
        fake.forgotten_tokens.add(token)
    else:
        fake.forgotten_cursors.add(token)
    assert set(_names(_pages(provider, fake, token))) >= _expected()


@each_cloud
def test_a_page_at_a_time_is_the_same_listing(provider: str, fake: Any) -> None:
    """As discovery asks: one call a page, on one opened account, and Google's policies are read once."""
    access = AccountAccess(provider, ACCOUNTS[provider], NOBODY, endpoint_url=fake.url)
    cloud, token, names = connect(access), None, list[str]()
    while True:
        page = next(MODULES[provider].pages(cloud, token, size=SIZE))
        names += [record.name for record in page.records]
        token = page.token
        if token is None:
            break
    assert set(names) >= _expected()
    assert len(names) == len(set(names))
    assert len([call for call in fake.calls if call.endswith("searchAllIamPolicies")]) == (
        2 if provider == "gcp" else 0
    )


@each_cloud
def test_tokens_that_are_always_forgotten_end_in_an_error(provider: str, fake: Any) -> None:
    """Not in a listing that goes round and round."""
    access = AccountAccess(provider, ACCOUNTS[provider], NOBODY, endpoint_url=fake.url)
    cloud, forgotten = connect(access), fake.forgotten_cursors if provider == "ibm" else fake.forgotten_tokens
    page = next(MODULES[provider].pages(cloud, size=SIZE))
    forget = (lambda token: json.loads(token)["skip"]) if provider == "azure" else (lambda token: token)
    forgotten.add(forget(page.token))
    page = next(MODULES[provider].pages(cloud, page.token, size=SIZE))
    forgotten.add(forget(page.token))
    with pytest.raises(CloudInvalid):
        next(MODULES[provider].pages(cloud, page.token, size=SIZE))


LISTER = """
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from tests.connectors.test_inventory import MODULES, ACCOUNTS, NOBODY, SIZE
from apps.connectors.access import AccountAccess
from apps.connectors.clouds import connect
provider, url, kept, kill_after = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
state = json.loads(kept.read_text()) if kept.exists() else {"names": [], "token": None}
access = AccountAccess(provider, ACCOUNTS[provider], NOBODY, endpoint_url=url)
for number, page in enumerate(MODULES[provider].pages(connect(access), state["token"], size=SIZE), 1):
    if number > kill_after:
        os.kill(os.getpid(), signal.SIGKILL)
    state["names"] += [record.name for record in page.records]
    state["token"] = page.token
    fresh = kept.with_suffix(".new")
    fresh.write_text(json.dumps(state))
    fresh.replace(kept)
"""


@pytest.mark.slow
@each_cloud
def test_a_killed_process_is_gone_on_from_by_another(provider: str, fake: Fake, tmp_path: Path) -> None:
    """Killed after the answer to a page has come and before it is kept: that page is asked for again."""
    kept = tmp_path / "kept.json"

    def run(kill_after: int) -> int:
        command = [sys.executable, "-c", LISTER, provider, fake.url, str(kept), str(kill_after)]
        return subprocess.run(command, env=dict(os.environ), check=False).returncode

    assert run(1) == -signal.SIGKILL
    held = json.loads(kept.read_text())
    assert 0 < len(held["names"]) <= SIZE
    assert run(1) == -signal.SIGKILL
    assert run(1000) == 0
    names = json.loads(kept.read_text())["names"]
    assert set(names) >= _expected()
    assert len(names) == len(set(names))


@each_cloud
def test_a_listing_without_permission_says_so(provider: str, fake: Fake) -> None:
    fake.deny()
    with pytest.raises(CloudError, match="need a role") as raised:
        next(_pages(provider, fake))
    assert raised.value.operation
    assert not raised.value.retryable
