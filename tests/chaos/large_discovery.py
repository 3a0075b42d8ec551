"""Discovery of many accounts by an installation's worker: memory, a storm of 429, and `kill -9` in the midst of it.

`python -m tests.chaos.large_discovery [--accounts N] [--each N]` prints the figures; smaller, it is a test
(test_large_discovery.py). The cloud is the stateful fake of Azure with one subscription an account; each fourth
request is refused. Resources come into PostgreSQL as any discovery's do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.chaos.stack import ROOT, Stack
from tests.connectors.test_large_listing import ManyAccounts, subscription
from tests.fakes.server import Answer, Request

SLUG = "many"
LIMIT = 3_600.0
RETRY_AFTER = 1  # seconds, as every refusal says


@dataclass(frozen=True)
class Figures:
    """`early_mib` and `late_mib`: the most that the working process held until a tenth of the accounts, and
    until the end. `waited_seconds` are those between a refusal and the same request again; `too_early` is how many
    came before they were asked to."""

    accounts: int
    resources: int
    refused_requests: int
    requests: int
    waited_seconds: float
    too_early: int
    seconds: float
    early_mib: float
    late_mib: float
    killed_at: int
    read_again: int


class Storm(ManyAccounts):
    """`each` resources an account; rows of one account are made once and kept while it is asked for."""

    def __init__(self, each: int) -> None:
        super().__init__()
        self.each = each
        self.refused = self.served = self.too_early = 0
        self.waited = 0.0
        self._put_off: dict[str, float] = {}
        self.blows = False
        self._made: tuple[str, list[dict[str, Any]]] = ("", [])

    def _graph(self, request: Request) -> Answer:
        if not self.blows:  # the accounts are being connected
            self.subscription = request.body["subscriptions"][0]
            return super(ManyAccounts, self)._graph(request)
        same, now = json.dumps(request.body, sort_keys=True), time.monotonic()
        if same in self._put_off:
            waited = now - self._put_off.pop(same)
            self.waited += waited
            self.too_early += waited < RETRY_AFTER
        answer = super()._graph(request)
        if answer.status == 429:
            self.refused += 1
            self._put_off[same] = now
            return Answer(answer.status, answer.body, {"Retry-After": str(RETRY_AFTER)})
        if answer.status == 200 and "resourcecontainers" not in request.body["query"]:
            self.served += len(answer.body["data"])
        return answer

    def _rows(self, query: str) -> list[dict[str, Any]]:
        if query.startswith("resourcecontainers"):
            return super(ManyAccounts, self)._rows(query)
        if self._made[0] != self.subscription:
            self._made = (self.subscription, super()._rows(query)[: self.each])
        return self._made[1]


class Peak:
    """The most resident memory of any process below `pid`, in MiB, looked at ten times a second."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._ended = stack, threading.Event()
        self.mib = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            process = self._stack.processes.get("worker")
            if process is None:
                continue
            told = subprocess.run(
                ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False
            )
            for pid in told.stdout.split():
                self.mib = max(self.mib, _resident_mib(int(pid)))


def _resident_mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in text.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0")
    return int(line.split()[1]) / 1024


def measure(accounts: int, each: int) -> Figures:
    """Connect, ask for all discoveries, kill the worker halfway, wait for the end. Raises AssertionError."""
    stack = Stack.make()
    try:
        with Storm(each) as fake:
            return _measured(stack, fake, accounts, each)
    finally:
        stack.stop()


def _measured(stack: Stack, fake: Storm, accounts: int, each: int) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.large_discovery", "--set-up", fake.url, "--accounts", str(accounts)],
        env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    fake.blows = True
    began = time.monotonic()
    with Peak(stack) as peak:
        stack.start("worker", "beat")
        stack.wait_for(lambda: _ended(stack) >= max(1, accounts // 10), LIMIT)
        early = peak.mib
        stack.wait_for(lambda: fake.served >= accounts * each // 2, LIMIT)
        killed_at = fake.served
        stack.kill("worker")
        stack.start("worker")
        stack.wait_for(lambda: _ended(stack) >= accounts, LIMIT)
        seconds, late = time.monotonic() - began, peak.mib
    states = dict(
        stack.query("SELECT status, count(*) FROM jobs WHERE type = 'inventory.discover' GROUP BY 1")
    )
    assert states == {"succeeded": accounts}, states
    rows = stack.query(
        "SELECT account, count(*) FILTER (WHERE status IS DISTINCT FROM 'deleted'), count(*) FROM resources "
        "WHERE type = 'microsoft.storage/storageaccounts' GROUP BY 1"
    )
    assert {row[0]: row[1:] for row in rows} == {subscription(n): (each, each) for n in range(accounts)}
    assert stack.query("SELECT count(*) FROM discovery_seen")[0][0] == 0
    return Figures(
        accounts, accounts * each, fake.refused, fake.asked, round(fake.waited, 1), fake.too_early, round(seconds, 1), round(early, 1), round(late, 1),
        killed_at, fake.served - accounts * each,
    )  # fmt: skip


def _ended(stack: Stack) -> int:
    sql = "SELECT count(*) FROM jobs WHERE type = 'inventory.discover' AND finished_at IS NOT NULL"
    return int(stack.query(sql)[0][0])


def set_up(url: str, accounts: int) -> None:
    """In the installation's environment: a tenant, its connected accounts, and a discovery asked for each."""
    import django

    django.setup()

    from apps.catalog.services import check_account, start_discovery
    from apps.core.context import Actor, tenant_scope, tenant_transaction
    from apps.tenancy.cloud_accounts import allow_credential, create_account
    from apps.tenancy.services import create_tenant

    tenant = create_tenant(name="Many", slug=SLUG)
    with tenant_scope(tenant.pk, Actor.system("test")):
        allow_credential(provider="azure", reference="environment:NOBODY", endpoint_url=url)
        for number in range(accounts):
            with tenant_transaction(tenant.pk):
                row = create_account(
                    provider="azure", account=subscription(number), credential="environment:NOBODY"
                )
            row = check_account(account_id=row.pk)
            assert row.status == "connected", row.problem
            with tenant_transaction(tenant.pk):
                start_discovery(account=row, send=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--each", type=int, default=2_000)
    parser.add_argument(
        "--set-up", metavar="URL", help="within an installation: what the measurement itself calls"
    )
    options = parser.parse_args()
    if options.set_up:
        set_up(options.set_up, options.accounts)
        return
    print(json.dumps(asdict(measure(options.accounts, options.each)), indent=2))  # noqa: T201


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
