"""Fifty thousand violations in memory that does not grow with them, and waiting for late transactions."""

from __future__ import annotations

import threading
import time
import tracemalloc
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from apps.reports import settling
from tests.reports.conftest import Estate

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
ROWS = 50_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_violations(estate: Estate) -> None:
    policy = estate.policy("p")
    estate.sql(
        "INSERT INTO resources (id, tenant_id, provider, type, name, native_id)"
        " SELECT 'r-' || n, %s, 'aws', 'aws.s3', 'bucket ' || n, 'arn:' || n FROM generate_series(1, %s) n",
        [estate.tenant_id, ROWS],
    )
    estate.sql(
        "INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason)"
        " SELECT gen_random_uuid(), %s, %s, 'r-' || n, 'high', repeat('why ', 50) FROM generate_series(1, %s) n",
        [estate.tenant_id, policy, ROWS],
    )
    today = datetime.now(UTC).date().isoformat()
    estate.run(estate.request("2025-03-01", "2025-03-01"))  # what is imported once is no growth
    tracemalloc.start()
    try:
        report = estate.run(estate.request("2025-03-01", today))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.status == "succeeded", report.error
    assert report.manifest["counts"]["violations"] == ROWS
    # The rows alone are over 30 MB as CSV and JSON, and several times that as Python objects.
    assert sum(f["size"] for f in report.manifest["files"]) > 30_000_000
    assert peak < 24 * 2**20, f"{peak / 2**20:.1f} MiB"
    assert estate.job(report).percent == 85


def test_a_transaction_from_before_the_cut_is_waited_for_and_its_rows_are_told(estate: Estate) -> None:
    policy, resource = estate.policy("p"), estate.resource("late")
    began, finish = threading.Event(), threading.Event()

    def late_writer() -> None:
        with estate.acting(), connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            began.set()
            finish.wait(20)
            cursor.execute(
                "INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason)"
                " VALUES (gen_random_uuid(), %s, %s, %s, 'low', 'late')",
                [estate.tenant_id, policy, resource],
            )
        connection.close()

    thread = threading.Thread(target=late_writer)
    thread.start()
    began.wait(20)
    report = estate.request("2025-03-01", datetime.now(UTC).date().isoformat())
    threading.Timer(1.0, finish.set).start()
    started = time.monotonic()
    ended = estate.run(report)
    thread.join()
    assert time.monotonic() - started >= 0.9
    assert ended.manifest["counts"]["violations"] == 1


def test_a_transaction_that_never_ends_fails_the_attempt_for_another_try(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "WAIT_SECONDS", 0.3)
    began, finish = threading.Event(), threading.Event()

    def idle() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            began.set()
            finish.wait(20)
        connection.close()

    thread = threading.Thread(target=idle)
    thread.start()
    began.wait(20)
    try:
        report = estate.request("2025-03-01", datetime.now(UTC).date().isoformat())
        ended = estate.run(report)
    finally:
        finish.set()
        thread.join()
    assert ended.status == "running"
    job = estate.job(report)
    assert job.status == "queued"
    assert "still open" in job.error
