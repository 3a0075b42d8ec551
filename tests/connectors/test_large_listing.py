"""A hundred thousand resources over fifty accounts: memory stays flat, a storm loses nothing, a kill is gone on from."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.azure import TENANT, FakeAzure
from tests.fakes.server import Answer, Request

pytestmark = pytest.mark.slow

ACCOUNTS, EACH = 50, 2_000
SIZE = 500
# Between the fifth account and the last one; a page of 500 is some 2 MB while it is converted.
MOST_GROWTH_BYTES = 16 * 1024 * 1024


def subscription(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


class ManyAccounts(FakeAzure):
    """Rows are made when they are asked for; every fourth request is refused."""

    asked = 0

    def _graph(self, request: Request) -> Answer:
        self.asked += 1
        if self.asked % 4 == 0:
            return Answer(
                429, {"error": {"code": "RateLimiting", "message": "slow down"}}, {"Retry-After": "0"}
            )
        self.subscription = request.body["subscriptions"][0]
        return super()._graph(request)

    def _rows(self, query: str) -> list[dict[str, Any]]:
        if not query.startswith("resources "):
            return []
        where = f"/subscriptions/{self.subscription}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts"
        row = {"tenantId": TENANT, "type": "microsoft.storage/storageaccounts", "location": "westeurope"}
        properties = {"supportsHttpsTrafficOnly": True, "text": "x" * 1000}
        return [
            {**row, "id": f"{where}/acct{number:05}", "name": f"acct{number:05}", "properties": properties}
            for number in range(EACH)
        ]


LISTER = """
import json, os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from tests.connectors.test_large_listing import ACCOUNTS, SIZE, subscription
from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.azure import inventory
from apps.connectors.clouds import connect
url, kept, kill_after = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
state = json.loads(kept.read_text()) if kept.exists() else {"account": 0, "token": None, "seen": {}}
pages, early = 0, 0
while state["account"] < ACCOUNTS:
    account = subscription(state["account"])
    access = AccountAccess("azure", account, CredentialReference("environment", {"prefix": "X"}), endpoint_url=url)
    for page in inventory.pages(connect(access), state["token"], size=SIZE):
        pages += 1
        if pages > kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        assert all(record.account == account for record in page.records)
        state["seen"][account] = state["seen"].get(account, 0) + len({record.native_id for record in page.records})
        state["token"] = page.token
        kept.with_suffix(".new").write_text(json.dumps(state))
        kept.with_suffix(".new").replace(kept)
    state["account"] += 1
    if state["account"] == 5:
        early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"growth": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early) * 1024}))
"""


def _run(fake: ManyAccounts, kept: Path, kill_after: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LISTER, fake.url, str(kept), str(kill_after)]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_memory_stays_flat_and_nothing_is_lost_in_a_storm(tmp_path: Path) -> None:
    with ManyAccounts() as fake:
        run = _run(fake, tmp_path / "kept.json", 10_000)
    assert run.returncode == 0, run.stderr
    seen = json.loads((tmp_path / "kept.json").read_text())["seen"]
    assert seen == {subscription(number): EACH for number in range(ACCOUNTS)}
    print(run.stdout)  # noqa: T201  the figure
    assert json.loads(run.stdout)["growth"] < MOST_GROWTH_BYTES
    assert fake.asked > ACCOUNTS * EACH / SIZE * 1.2, "the storm did not blow"


def test_killed_in_the_middle_it_is_gone_on_from(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    with ManyAccounts() as fake:
        assert _run(fake, kept, 97).returncode == -signal.SIGKILL
        asked = fake.asked
        run = _run(fake, kept, 10_000)
        assert run.returncode == 0, run.stderr
        assert fake.asked - asked < fake.asked * 0.75, "it began anew"
    seen = json.loads(kept.read_text())["seen"]
    assert seen == {subscription(number): EACH for number in range(ACCOUNTS)}
