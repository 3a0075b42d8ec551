"""`kill -9` of what a scan stands on, at a random moment of it: it ends once, with what it would have found."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

import psycopg
import pytest

from tests.chaos.conftest import Estate
from tests.chaos.stack import Stack

pytestmark = pytest.mark.slow

LIMIT = 60.0  # seconds from the fault to the job's end


def _kill_worker(stack: Stack) -> None:
    stack.kill("worker")
    stack.start("worker")


def _kill_worker_child(stack: Stack) -> None:
    """The process that does the work, and not its parent, which stays and gives the message back."""
    parent = stack.processes["worker"].pid
    (child,) = subprocess.check_output(["pgrep", "-P", str(parent)], text=True).split()
    os.kill(int(child), signal.SIGKILL)


def _kill_worker_parent(stack: Stack) -> None:
    """The parent only: its child goes on with the scan while the next worker is already there."""
    parent = stack.processes.pop("worker")
    os.kill(parent.pid, signal.SIGKILL)
    stack.start("worker")


def _kill_postmaster(stack: Stack) -> None:
    stack.kill("postgres")
    time.sleep(1)
    stack.start_again("postgres")


def _kill_backend(stack: Stack) -> None:
    """One server process: PostgreSQL then ends all the others and recovers from its log."""
    rows = stack.query(
        "SELECT pid FROM pg_stat_activity WHERE usename = 'governance_app' ORDER BY xact_start NULLS LAST LIMIT 1"
    )
    os.kill(rows[0][0], signal.SIGKILL)
    time.sleep(0.5)
    stack.wait_for(stack.answers, 20)


def _kill_valkey(stack: Stack) -> None:
    stack.kill("valkey")
    time.sleep(1)
    stack.start("valkey")


def _wait_until_under_way(acme: Estate, job_id: str, seed: int) -> None:
    """Some way into the scan: so many of its groups of policies, and a little more."""
    dice = random.Random(seed)  # a failure can be seen again
    part, pause = dice.uniform(0.05, 0.8), dice.uniform(0, 0.05)

    with psycopg.connect(acme.stack.environment["DATABASE_OWNER_URL"], autocommit=True) as watcher:

        def far_enough() -> bool:
            row = watcher.execute(
                "SELECT status, coalesce(progress_done >= %s * progress_total, false) FROM jobs WHERE id = %s",
                [part, job_id],
            ).fetchone()
            assert row is not None
            assert row[0] in ("queued", "running"), "the scan ended before the fault came"
            return bool(row[1])

        acme.stack.wait_for(far_enough)
    time.sleep(pause)
    assert acme.job(job_id)["status"] == "running"


@pytest.mark.parametrize(
    ("fault", "seed"),
    [
        (_kill_worker, 1),
        (_kill_worker_child, 2),
        (_kill_worker_parent, 3),
        (_kill_postmaster, 4),
        (_kill_backend, 5),
        (_kill_valkey, 6),
    ],
)
def test_a_scan_outlives_what_is_killed(acme: Estate, fault: Callable[[Stack], None], seed: int) -> None:
    stack = acme.stack
    job_id = acme.scan()
    stack.start("worker", "beat")
    _wait_until_under_way(acme, job_id, seed)
    fault(stack)
    stack.wait_for(lambda: acme.job(job_id)["status"] not in ("queued", "running"), LIMIT)
    _holds(acme, job_id)


def _holds(acme: Estate, job_id: str) -> None:
    """The job and its scan succeeded once, the findings are those of an undisturbed scan, nothing is double."""
    job = acme.job(job_id)
    assert job["status"] == "succeeded", job
    runs = acme.stack.query("SELECT status, id::text FROM scan_runs WHERE job_id = %s", [job_id])
    assert [run for status, run in runs if status == "succeeded"] == [job["result"]["scan"]]
    assert all(status in ("succeeded", "failed") for status, _ in runs), runs
    ends = acme.stack.query(
        "SELECT action FROM audits WHERE target_id = %s AND action LIKE 'jobs.job.%%ed'", [job_id]
    )
    assert sorted(ends) == [("jobs.job.requested",), ("jobs.job.succeeded",)]
    assert acme.findings() == acme.truth
    assert acme.events() == {"opened": len(acme.truth)}
    assert acme.drift() == []
