"""Closed rows go into the history: once, whole, and without anybody noticing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from psycopg import errors

from apps.actions.models import Action, ActionEvent, ActionEventHistory, ActionEventRecord
from apps.archive.moving import due, move_batch, overdue, start_due_moves
from apps.archive.partitions import make_ahead, partition_problems, partitions
from apps.archive.tables import ACTION_EVENTS, VIOLATIONS
from apps.archive.window import hot_days, set_hot_days
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.errors import InvalidInput
from apps.findings.history import counts_before, daily_drift
from apps.findings.models import Violation, ViolationEvent, ViolationHistory, ViolationRecord
from apps.findings.queries import counter_drift, occurrences_before, violation_counts, violation_records
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.tenancy.services import create_tenant
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

NOW = datetime.now(UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def tenant() -> uuid.UUID:
    """Violations of one policy: open, fixed yesterday, and fixed 31, 95, 200 and 400 days ago."""
    made = create_tenant(name="Archive", slug="archive")
    with tenant_transaction(made.pk, Actor.system("test")):
        policy = make_policy()
        make_violation(make_resource(0), policy)
        for number, days in enumerate((1, 31, 95, 200, 400), start=1):
            make_violation(
                make_resource(number),
                policy,
                status="fixed",
                fixed_at=days_ago(days),
                first_seen=days_ago(days + 5),
                last_seen=days_ago(days + 1),
                severity=("low", "critical")[number % 2],
            )
    return made.pk


def move_all(tenant_id: uuid.UUID, table: Any = VIOLATIONS, at_most: int = 2000) -> int:
    moved = 0
    with tenant_scope(tenant_id, Actor.system("test")):
        while n := move_batch(table, at_most):
            moved += n
    return moved


def look(tenant_id: uuid.UUID) -> dict[str, Any]:
    """What dashboards and lists show."""
    with tenant_transaction(tenant_id, Actor.system("test")):
        order = ("-severity_rank", "-last_seen", "-id")
        return {
            "counts": violation_counts(),
            "then": counts_before(datetime.now(UTC)),
            "rows": [
                (
                    v.pk,
                    v.shown_status,
                    v.severity,
                    v.reason,
                    v.first_seen,
                    v.fixed_at,
                    v.policy_id,
                    v.resource_id,
                )
                for v in violation_records().order_by(*order)
            ],
            "events": list(ViolationEvent.objects.order_by("id").values_list("violation_id", "kind")),
            "drift": (counter_drift(), daily_drift()),
        }


def test_what_moves_changes_nothing_that_is_shown(tenant: uuid.UUID) -> None:
    before = look(tenant)
    assert before["drift"] == ([], [])
    assert move_all(tenant) == 3
    assert look(tenant) == before
    with tenant_transaction(tenant):
        assert (Violation.objects.count(), ViolationHistory.objects.count()) == (3, 3)


def test_the_window_is_the_tenants(tenant: uuid.UUID) -> None:
    with tenant_transaction(tenant, Actor.system("test")):
        assert hot_days() == 90
        for days in (29, 91):
            with pytest.raises(InvalidInput) as refused:
                set_hot_days(days=days)
            assert refused.value.field == "hot_days"
        set_hot_days(days=30)
        assert due(VIOLATIONS).rows == 4
    assert move_all(tenant) == 4


def test_a_window_that_raw_sql_wrote_is_kept_within_bounds(tenant: uuid.UUID) -> None:
    with tenant_transaction(tenant), connection.cursor() as cursor:
        for stored, rows in (("1", 4), ("100000", 3), ('"soon"', 3), ("null", 3)):
            cursor.execute(
                "UPDATE tenants SET settings = jsonb_build_object('retention', jsonb_build_object('hot_days', %s::jsonb))",
                [stored],
            )
            assert due(VIOLATIONS).rows == rows, stored


def test_a_batch_is_of_one_quarter_and_bounded(tenant: uuid.UUID) -> None:
    with tenant_transaction(tenant, Actor.system("test")):
        policy = make_policy("another")
        for number in range(5):
            at = datetime(2025, 2, 1 + number, tzinfo=UTC)
            make_violation(make_resource(100 + number), policy, status="fixed", fixed_at=at)
    with tenant_scope(tenant, Actor.system("test")):
        sizes = []
        while n := move_batch(VIOLATIONS, 3):
            sizes.append(n)
    assert max(sizes) == 3
    assert sum(sizes) == 8
    with tenant_transaction(tenant):
        rows = ViolationHistory.objects.values_list("segment_id", "closed_at")
        quarters = {(segment, at.year, (at.month - 1) // 3) for segment, at in rows}
        assert len(quarters) == len({segment for segment, _ in rows}) == len(sizes)


def test_another_tenants_rows_stay(tenant: uuid.UUID) -> None:
    other = create_tenant(name="Other", slug="other")
    assert move_all(other.pk) == 0
    with tenant_transaction(other.pk):
        assert ViolationRecord.objects.count() == 0
    with tenant_transaction(tenant):
        assert Violation.objects.count() == 6


def test_one_that_comes_back_is_a_new_row_that_leads_to_the_old(tenant: uuid.UUID) -> None:
    move_all(tenant)
    with tenant_transaction(tenant, Actor.system("test")):
        old = ViolationHistory.objects.order_by("closed_at").first()
        assert old is not None
        again = Violation.objects.create(
            policy_id=old.policy_id, resource_id=old.resource_id, severity="high", reason="again"
        )
        again.refresh_from_db()
        assert [row.id for row in occurrences_before(again)] == [old.id]
        assert counter_drift() == []


def test_a_violation_that_is_deleted_is_still_told_of(tenant: uuid.UUID) -> None:
    """The trigger leaves out what was archived, and that alone."""
    move_all(tenant)
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM violations WHERE tenant_id = %s AND status = 'fixed'", [tenant])
        assert cursor.rowcount == 2
    with tenant_transaction(tenant):
        assert ViolationEvent.objects.filter(kind="removed").count() == 2
        assert (counter_drift(), daily_drift()) == ([], [])
        assert sum(c.n for c in violation_counts() if c.status == "fixed") == 3


def test_lines_of_ended_actions_move_and_read_as_one(tenant: uuid.UUID) -> None:
    long_ago = days_ago(100)
    with tenant_transaction(tenant, Actor.system("test")):
        ended, open_, young = (
            Action.objects.create(type="t", status=status, params={}, updated_at=changed)
            for status, changed in (("failed", long_ago), ("queued", long_ago), ("failed", days_ago(89)))
        )
        for action in (ended, open_, young):
            for days in (200, 150, 120):
                ActionEvent.objects.create(action=action, ts=days_ago(days), message=f"{days} days ago")
    assert move_all(tenant, ACTION_EVENTS) == 3
    with tenant_transaction(tenant):
        assert set(ActionEvent.objects.values_list("action_id", flat=True)) == {open_.pk, young.pk}
        assert ActionEventHistory.objects.count() == 3
        lines = ended.event_records.order_by("ts").values_list("message", flat=True)
        assert list(lines) == ["200 days ago", "150 days ago", "120 days ago"]
        assert ActionEventRecord.objects.count() == 9


def test_the_sweep_asks_once_a_day_and_the_job_moves(tenant: uuid.UUID) -> None:
    with tenant_transaction(tenant, Actor.system("test")):
        assert (start_due_moves(), start_due_moves()) == (1, 0)
        job = Job.objects.get(type="archive.move")
    ended = run_job(tenant, job.pk)
    assert ended is not None
    assert (ended.status, ended.result) == (
        "succeeded",
        {"violations_history": 3, "action_events_history": 0},
    )
    with tenant_transaction(tenant):
        assert overdue() == []


def test_what_waits_too_long_is_told(tenant: uuid.UUID) -> None:
    with tenant_transaction(tenant, Actor.system("test")):
        (late,) = overdue()
        assert late.startswith("3 closed violations wait for the history")
        Violation.objects.filter(fixed_at__lt=days_ago(90)).update(fixed_at=days_ago(40))
        assert overdue() == []
        set_hot_days(days=30)  # what is late is late by the tenant's own window
        (late,) = overdue()
    assert late.startswith("4 closed violations")


def test_partitions_are_there_ahead_and_closed_to_everybody(tenant: uuid.UUID) -> None:
    with tenant_transaction(tenant, Actor.system("test")):
        assert len(make_ahead()) == 6
        assert partition_problems() == []
    move_all(tenant)
    with tenant_transaction(tenant):
        names = [partition.name for partition in partitions()]
    assert len(names) >= 6
    for name in names:
        with (
            pytest.raises(Exception) as refused,
            tenant_transaction(tenant),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SELECT * FROM {name}")
        assert isinstance(refused.value.__cause__, errors.InsufficientPrivilege)
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_policies WHERE tablename = ANY (%s) AND policyname = 'tenant_isolation'",
            [names],
        )
        assert cursor.fetchone() == (len(names),)


def test_a_partition_that_somebody_opened_is_a_problem(tenant: uuid.UUID) -> None:
    with tenant_transaction(tenant, Actor.system("test")):
        name = make_ahead()[0]
    try:
        with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
            cursor.execute(f"GRANT SELECT ON {name} TO PUBLIC")
        with tenant_transaction(tenant):
            assert partition_problems() == [f"{name}: somebody is granted it"]
    finally:
        with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
            cursor.execute(f"REVOKE SELECT ON {name} FROM PUBLIC")


@pytest.mark.parametrize(
    ("table", "moment"),
    [("audits", "2026-01-01"), ("violations_history", "1999-12-31"), ("violations_history", "2999-01-01")],
)
def test_no_partition_is_made_of_other_tables_or_of_no_time(
    tenant: uuid.UUID, table: str, moment: str
) -> None:
    with pytest.raises(Exception, match=r"has no partitions|is no time"), tenant_transaction(tenant):
        connection.cursor().execute("SELECT archive_partition(%s, %s)", [table, moment])


def test_a_query_for_open_ones_does_not_look_into_the_history(tenant: uuid.UUID) -> None:
    move_all(tenant)
    with tenant_transaction(tenant):
        assert "violations_history" not in violation_records().filter(status="open").explain()
        assert "violations_history" in violation_records().filter(status="fixed").explain()
