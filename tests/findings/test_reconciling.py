"""Sums that lie are named, and made right; sums that don't are left alone."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction

from apps.core.context import Actor, tenant_transaction
from apps.findings.queries import violation_counts
from apps.findings.services.reconciling import ask_for_verification
from apps.jobs.models import Job
from apps.jobs.running import run_job
from tests.archive.test_moving import move_all, tenant

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def owner(sql: str, *values: Any) -> None:
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute(sql, values)


def posture(verb: str, tenant_id: uuid.UUID) -> tuple[int, dict[str, Any]]:
    out, code = io.StringIO(), 0
    try:
        call_command("posture", verb, "--tenant", str(tenant_id), "--json", stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


def test_honest_sums_are_right_before_and_after_a_move(tenant: uuid.UUID) -> None:
    for _ in range(2):
        assert posture("verify", tenant) == (0, {"differences": 0, "first": [], "failed": False})
        assert posture("rebuild", tenant) == (0, {"violation_counters": 0, "posture_days": 0})
        move_all(tenant)


@pytest.mark.parametrize(
    ("lie", "table"),
    [
        (
            "UPDATE violation_counters SET n = n + 7 WHERE tenant_id = %s AND status = 'open'",
            "violation_counters",
        ),
        ("DELETE FROM violation_counters WHERE tenant_id = %s", "violation_counters"),
        (
            "UPDATE posture_days SET delta = delta - 2 WHERE tenant_id = %s AND status = 'fixed'",
            "posture_days",
        ),
        ("DELETE FROM posture_days WHERE tenant_id = %s", "posture_days"),
    ],
)
def test_a_sum_that_lies_is_named_and_made_right(tenant: uuid.UUID, lie: str, table: str) -> None:
    move_all(tenant)
    with tenant_transaction(tenant):
        before = violation_counts()
    owner(lie, tenant)
    code, said = posture("verify", tenant)
    assert (code, {one["table"] for one in said["first"]}) == (1, {table})
    code, changed = posture("rebuild", tenant)
    assert (code, changed[table]) == (0, said["differences"])
    assert posture("verify", tenant)[0] == 0
    with tenant_transaction(tenant):
        assert violation_counts() == before


def test_the_daily_job_fails_where_a_sum_lies(tenant: uuid.UUID) -> None:
    owner("UPDATE violation_counters SET n = n + 1 WHERE tenant_id = %s AND status = 'open'", tenant)
    with tenant_transaction(tenant, Actor.system("test")):
        assert (ask_for_verification(), ask_for_verification()) == (1, 0)
        job = Job.objects.get(type="posture.verify")
    ended = run_job(tenant, job.pk)
    assert ended is not None
    assert ended.status == "failed"
    assert "1 sums differ from what was recorded, first: violation_counters" in ended.error
