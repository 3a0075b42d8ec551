"""Jobs: one claim wins, leases are taken over, ends are recorded once, messages are only hints."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.audit.models import Audit
from apps.core.context import Context, tenant_transaction
from apps.core.envelope import KEYS, Envelope
from apps.core.errors import InvalidInput, StaleState, TransientFailure
from apps.jobs import registry, running
from apps.jobs.models import Job
from apps.jobs.registry import JobKind, register_job
from apps.jobs.running import JobHandle, run_job
from apps.jobs.services import cancel_job, dispatch_due, enqueue, envelope_of
from apps.jobs.tasks import QUEUE_TASKS
from apps.tenancy.models import Tenant

pytestmark = pytest.mark.django_db


class Work:
    """A handler whose behaviour a test sets."""

    def __init__(self) -> None:
        self.runs = 0
        self.finished: list[str] = []
        self.error: Exception | None = None

    def run(self, handle: JobHandle) -> Mapping[str, Any]:
        self.runs += 1
        handle.checkpoint(1, 2, "half")
        if self.error:
            raise self.error
        return {"attempt": handle.attempt}


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    register_job(
        JobKind("test.work", "jobs", "Test", made.run, finished=lambda job: made.finished.append(job.status))
    )
    yield made
    del registry._kinds["test.work"]


@pytest.fixture
def job(in_tenant: Tenant, work: Work) -> Job:
    return enqueue("test.work", {"n": 1}, send=False)


def run(job: Job) -> Job:
    run_job(job.tenant_id, job.pk)
    job.refresh_from_db()
    return job


def test_a_job_runs_once_and_keeps_its_result(job: Job, work: Work) -> None:
    run(job)
    assert (job.status, job.result, job.attempts) == ("succeeded", {"attempt": 1}, 1)
    assert (job.progress_done, job.progress_total, job.progress_note) == (1, 2, "half")
    assert run_job(job.tenant_id, job.pk) is None
    assert work.runs == 1
    assert work.finished == ["succeeded"]


def test_the_same_idempotency_key_gives_the_first_job(in_tenant: Tenant, work: Work) -> None:
    first = enqueue("test.work", {"n": 1}, idempotency_key="k", send=False)
    again = enqueue("test.work", {"n": 2}, idempotency_key="k", send=False)
    assert (again.pk, again.params) == (first.pk, {"n": 1})
    assert Audit.objects.filter(action="jobs.job.requested").count() == 1


def test_a_living_lease_is_respected_and_an_expired_one_taken_over(job: Job, work: Work) -> None:
    Job.objects.update(
        status="running",
        attempts=1,
        lease_token=uuid.uuid4(),
        lease_until=timezone.now() + timedelta(minutes=1),
    )
    assert run_job(job.tenant_id, job.pk) is None
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    run(job)
    assert (job.status, job.attempts) == ("succeeded", 2)


def test_who_lost_his_lease_records_no_end(job: Job, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def steal(handle: JobHandle) -> Mapping[str, Any]:
        Job.objects.filter(pk=handle.job_id).update(lease_token=uuid.uuid4())
        return {}

    monkeypatch.setitem(registry._kinds, "test.work", JobKind("test.work", "jobs", "Test", steal))
    assert run_job(job.tenant_id, job.pk) is None
    job.refresh_from_db()
    assert (job.status, job.result) == ("running", None)


@pytest.mark.parametrize(
    "error", [TransientFailure("store away"), OperationalError("gone"), ConnectionError("x")]
)
def test_what_a_retry_may_mend_is_tried_again_later(job: Job, work: Work, error: Exception) -> None:
    work.error = error
    run(job)
    assert job.status == "queued"
    assert job.not_before > timezone.now()
    assert job.error
    assert work.finished == []


@pytest.mark.parametrize("error", [InvalidInput("no", field="x"), ValueError("bug")])
def test_what_a_retry_can_not_mend_fails_with_its_reason(job: Job, work: Work, error: Exception) -> None:
    work.error = error
    run(job)
    assert (job.status, work.finished) == ("failed", ["failed"])
    assert str(error) in job.error
    assert Audit.objects.filter(action="jobs.job.failed", target_id=str(job.pk)).count() == 1


def test_retries_end(job: Job, work: Work) -> None:
    work.error = TransientFailure("store away")
    for _ in range(job.max_attempts):
        Job.objects.update(not_before=timezone.now() - timedelta(seconds=1))
        run(job)
    assert (job.status, job.attempts, work.runs) == ("failed", job.max_attempts, job.max_attempts)


def test_a_queued_job_is_cancelled_at_once_a_running_one_at_its_checkpoint(
    in_tenant: Tenant, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = enqueue("test.work", send=False)
    cancel_job(job_id=queued.pk)
    queued.refresh_from_db()
    assert queued.status == "cancelled"
    with pytest.raises(StaleState):
        cancel_job(job_id=queued.pk)

    def cancelled_midway(handle: JobHandle) -> None:
        cancel_job(job_id=handle.job_id)
        handle.checkpoint()
        raise AssertionError("the checkpoint did not stop it")

    monkeypatch.setitem(registry._kinds, "test.work", JobKind("test.work", "jobs", "Test", cancelled_midway))
    other = run(enqueue("test.work", send=False))
    assert (other.status, other.error) == ("cancelled", "Cancelled.")


def test_the_dispatcher_sends_what_is_due_and_not_again_at_once(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Job] = []
    monkeypatch.setattr("apps.jobs.services.send_message", lambda job: sent.append(job) or True)
    dispatch_due()
    dispatch_due()
    assert [j.pk for j in sent] == [job.pk]
    Job.objects.update(sent_at=timezone.now() - timedelta(minutes=1))
    dispatch_due()
    assert len(sent) == 2


def test_a_job_whose_workers_all_died_is_given_up_and_says_so(
    job: Job, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.jobs.services.send_message", lambda job: True)
    Job.objects.update(
        status="running",
        attempts=job.max_attempts,
        lease_token=uuid.uuid4(),
        lease_until=timezone.now() - timedelta(seconds=1),
        sent_at=None,
    )
    dispatch_due()
    job.refresh_from_db()
    assert job.status == "failed"
    assert "attempts ended without a word" in job.error
    assert work.finished == ["failed"]


def test_the_envelope_has_exactly_six_keys(job: Job) -> None:
    message = envelope_of(job).as_message()
    assert tuple(message) == KEYS
    assert Envelope.from_message(message) == envelope_of(job)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "x"}, "id"),
        ({"tenant_id": None}, "tenant_id"),
        ({"params": []}, "params"),
        ({"extra": 1}, "extra"),
        ({"type": ...}, "type"),
    ],
)
def test_a_malformed_message_is_refused_by_name(job: Job, change: dict[str, Any], field: str) -> None:
    message = {k: v for k, v in (envelope_of(job).as_message() | change).items() if v is not ...}
    with pytest.raises(InvalidInput) as refused:
        Envelope.from_message(message)
    assert refused.value.field == field


def test_a_task_trusts_the_row_and_not_the_message(job: Job, work: Work) -> None:
    lying = envelope_of(job).as_message() | {"params": {"n": 666}, "type": "other"}
    QUEUE_TASKS["jobs"].run(lying)
    job.refresh_from_db()
    assert (job.status, job.params) == ("succeeded", {"n": 1})


def test_a_message_for_another_tenant_finds_nothing(job: Job, work: Work, other_tenant: Tenant) -> None:
    QUEUE_TASKS["jobs"].run(envelope_of(job).as_message() | {"tenant_id": str(other_tenant.id)})
    assert work.runs == 0


def test_the_broker_away_loses_no_job(in_tenant: Tenant, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr("celery.current_app.send_task", away, raising=False)
    with tenant_transaction(in_tenant.id):
        job = enqueue("test.work")
    assert Job.objects.get(pk=job.pk).status == "queued"


def test_the_names_of_the_tasks_are_those_of_the_queues() -> None:
    assert {name: task.name for name, task in QUEUE_TASKS.items()} == {q: q for q in registry.QUEUES}
    assert timedelta(seconds=2 * running.HEARTBEAT_SECONDS) < running.LEASE


def test_the_lease_is_renewed_until_a_cancelled_handler_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement may outlast the lease: were the heartbeat to end at the cancellation, a second worker came."""

    class Cancelled:
        job_id = uuid.uuid4()
        beats = 0

        def checkpoint(self) -> None:
            self.beats += 1
            raise running.JobCancelled

    monkeypatch.setattr(running, "HEARTBEAT_SECONDS", 0.01)
    handle = Cancelled()
    heartbeat = running._Heartbeat(handle, Context())  # type: ignore[arg-type]
    heartbeat.start()
    deadline = time.monotonic() + 5
    while handle.beats < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    heartbeat.stop()
    assert handle.beats >= 3
