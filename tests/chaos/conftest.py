"""One installation for all tests of faults, and an estate in it that takes some seconds to scan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from apps.connectors.sample import estate
from tests.chaos.stack import ROOT, Stack

RESOURCES = 5_000
SEED = 7
STARTER = ROOT / "apps" / "catalog" / "starter"
# An estate's ages count back from a day: with a fixed one each run has the same rows.
TODAY = date(2026, 6, 1)

# What a policy on ages compares with is the time of the scan less so many days.
_MOMENT = re.compile(r'(?<=before )"[^"]*"')

Finding = tuple[str, str, str, str]


@dataclass
class Estate:
    """A tenant with resources and policies in a stack; `truth` is what an undisturbed scan finds."""

    stack: Stack
    slug: str
    file: Path
    truth: set[Finding]

    def scan(self) -> str:
        """Ask for a scan by the queue; the job's id."""
        return str(self.stack.manage("scan", "policy", "--tenant", self.slug, "--json", "--queue")["job"])

    def job(self, job_id: str) -> dict[str, Any]:
        rows = self.stack.query("SELECT to_jsonb(j) FROM jobs j WHERE id = %s", [job_id])
        return dict(rows[0][0])

    def findings(self) -> set[Finding]:
        rows = self.stack.query("SELECT policy_id, resource_id, reason, status FROM violations")
        found = {
            (str(policy), str(resource), _MOMENT.sub("then", why), str(status))
            for policy, resource, why, status in rows
        }
        assert len(found) == len(rows)
        return found

    def events(self) -> dict[str, int]:
        """Kind → how many, and no violation has one kind twice."""
        rows = self.stack.query(
            "SELECT kind, count(*), count(DISTINCT violation_id) FROM violation_events GROUP BY 1"
        )
        assert all(events == distinct for _, events, distinct in rows), rows
        return {kind: events for kind, events, _ in rows}

    def drift(self) -> list[tuple[Any, ...]]:
        """Counters that differ from the rows they count, told by SQL of its own."""
        return self.stack.query(
            """
            SELECT * FROM (SELECT tenant_id, policy_id, severity, status, n FROM violation_counters WHERE n <> 0) stored
            FULL JOIN (SELECT tenant_id, policy_id, severity, status, count(*) AS n FROM violations
                       GROUP BY 1, 2, 3, 4) actual USING (tenant_id, policy_id, severity, status)
            WHERE stored.n IS DISTINCT FROM actual.n
            """
        )

    def forget(self) -> None:
        """Back to an estate that was never scanned."""
        self.stack.query(
            "DELETE FROM violations; TRUNCATE violation_events, violation_counters; SELECT 1", None
        )


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    made = Stack.make()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def scanned(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Filled, scanned once undisturbed."""
    file = tmp_path_factory.mktemp("estate") / "estate.ndjson"
    with file.open("w") as out:
        out.writelines(json.dumps(row) + "\n" for row in estate(SEED, RESOURCES, TODAY))
    stack.manage("tenant", "create", "Acme", "--slug", "acme", "--json")
    assert (
        stack.manage("inventory", "import", "--tenant", "acme", "--json", str(file))["written"] == RESOURCES
    )
    for cloud in ("aws", "gcp"):
        imported = stack.manage("policies", "import", "--tenant", "acme", "--json", str(STARTER / cloud))
        assert imported["compiled"] > 20
    stack.manage("scan", "policy", "--tenant", "acme", "--json")
    made = Estate(stack, "acme", file, set())
    made.truth = made.findings()
    assert len(made.truth) > 500
    assert made.drift() == []
    return made


@pytest.fixture
def acme(scanned: Estate) -> Iterator[Estate]:
    """The estate, never scanned, with the servers up; worker and beat are the test's to start."""
    scanned.forget()
    yield scanned
    scanned.stack.halt("beat", "worker", "second-worker")
    for name in ("postgres", "valkey", "s3"):
        if name not in scanned.stack.processes:
            scanned.stack.start_again(name)
