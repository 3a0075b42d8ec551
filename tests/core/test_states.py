from __future__ import annotations

import pytest
from django.db import transaction
from django.db.models import Q

from apps.audit.models import Audit
from apps.core.errors import IllegalTransition, StaleState
from apps.core.states import StateMachine, transition
from apps.jobs.models import Job
from apps.tenancy.models import Tenant

pytestmark = pytest.mark.django_db

EVENTS: list[tuple[str, str]] = []
MACHINE = StateMachine(
    model=Job,
    transitions={"queued": frozenset({"running"}), "running": frozenset({"succeeded"})},
    audit_prefix="test.job",
    event=lambda job, before, after, note: EVENTS.append((before, after)),
)


@pytest.fixture
def job(in_tenant: Tenant) -> Job:
    EVENTS.clear()
    job = Job(type="t", queue="jobs", idempotency_key="k", status="queued")
    job.save()
    return job


def test_a_transition_writes_state_event_and_audit_together(job: Job) -> None:
    transition(MACHINE, job, "running", changes={"attempts": 1}, note="go")
    job.refresh_from_db()
    assert (job.status, job.attempts) == ("running", 1)
    assert EVENTS == [("queued", "running")]
    audit = Audit.objects.get(action="test.job.running")
    assert (audit.target_id, audit.payload["from"], audit.payload["note"]) == (str(job.pk), "queued", "go")


def test_an_edge_that_is_not_there_is_illegal_and_changes_nothing(job: Job) -> None:
    with pytest.raises(IllegalTransition):
        transition(MACHINE, job, "succeeded")
    job.refresh_from_db()
    assert job.status == "queued"
    assert EVENTS == []


def test_of_two_stale_instances_one_wins(job: Job) -> None:
    other = Job.objects.get(pk=job.pk)
    transition(MACHINE, job, "running")
    with pytest.raises(StaleState):
        transition(MACHINE, other, "running")
    assert EVENTS == [("queued", "running")]
    assert Audit.objects.filter(action="test.job.running").count() == 1


def test_a_guard_that_no_longer_holds_is_stale(job: Job) -> None:
    with pytest.raises(StaleState):
        transition(MACHINE, job, "running", guard=Q(attempts=7))


def test_what_fails_after_the_update_takes_the_update_back(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr("apps.core.states.record", fail)
    with pytest.raises(RuntimeError), transaction.atomic():
        transition(MACHINE, job, "running")
    assert Job.objects.get(pk=job.pk).status == "queued"
