"""What goes wrong: drift, a cloud that says no, a store that is away, workers that die, people who change their mind."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from apps.actions.evidence import manifest_of
from apps.actions.models import Action
from apps.actions.services import (
    approve_action,
    cancel_action,
    propose_rollback,
    reject_action,
    retry_action,
)
from apps.actions.services.ending import may_retry
from apps.audit.models import Audit
from apps.core.errors import IllegalTransition, InvalidInput, StaleState
from apps.evidence import client as evidence_client
from tests.fixtures import cloud as clouds
from tests.fixtures.estate import acting_as

from .conftest import Desk


def test_a_change_behind_its_back_stops_it_and_it_asks_again(desk: Desk) -> None:
    bucket = desk.buckets[0]
    action = desk.planned(params={"public": False})
    first = action.plan_sha256
    desk.approve(action)
    desk.cloud.make(bucket.native_id, public="for partners")
    action = desk.run(action)
    assert action.status == "preflight"
    assert action.params["requires_approval"] is True
    assert action.plan_revision == 2
    assert action.plan_sha256 != first
    assert desk.cloud.changes() == []
    assert any("has changed since it was planned" in event for event in desk.events(action))
    assert desk.run(action).status == "preflight"  # the old approval does not count
    assert "drift-1.json" in [entry["name"] for entry in manifest_of(action.result)]
    assert desk.run(desk.approve(action)).status == "completed"


def test_a_plan_that_comes_back_by_drift_needs_a_new_approval(desk: Desk) -> None:
    """Changed, and changed back while it was being planned anew: the digest may be the old one, the revision is not."""
    bucket = desk.buckets[0]
    action = desk.approve(desk.planned())
    desk.cloud.make(bucket.native_id, public="x")
    action = desk.run(action)
    desk.cloud.make(bucket.native_id, public=True)
    desk.approve(action)
    action = desk.run(action)
    assert (action.status, action.plan_revision) == ("preflight", 3)
    assert action.plan["targets"][0]["before"] == {"public": True}
    assert desk.cloud.changes() == []


def test_nothing_of_a_set_is_changed_while_one_has_drifted(desk: Desk) -> None:
    action = desk.approve(desk.planned(desk.buckets))
    desk.cloud.make(desk.buckets[2].native_id, public="x")
    assert desk.run(action).status == "preflight"
    assert desk.cloud.changes() == []


def test_denied_says_so_and_that_a_retry_needs_other_rights(desk: Desk) -> None:
    action = desk.approve(desk.planned())
    desk.cloud.trouble("denied", times=-1)
    action = desk.run(action)
    assert (action.status, action.result["outcome"]) == ("failed", "failed")
    said = " ".join(desk.events(action))
    assert "The test's cloud says: denied." in said
    assert "helps only after the account's rights" in said
    assert action.result["retryable"] is False
    assert manifest_of(action.result)[-1]["name"] == "calls-1.json"


def test_throttled_waits_and_goes_on(desk: Desk) -> None:
    action = desk.approve(desk.planned())
    desk.cloud.trouble("throttled", times=2)
    action = desk.run(action)
    assert (action.status, action.waits_for) == ("in_progress", "cloud")
    assert desk.job(action).status == "queued"
    assert any("asks to slow down" in event for event in desk.events(action))
    action = desk.run_until(action, "completed")
    assert len(desk.cloud.changes()) == 1


def test_a_cloud_that_stays_away_ends_as_a_dead_letter_that_a_person_retries(desk: Desk) -> None:
    action = desk.approve(desk.planned())
    desk.cloud.trouble("away", times=-1)
    action = desk.run_until(action, "failed")
    assert action.result["outcome"] == "dead_letter"
    assert "Given up after 6 attempts" in action.result["message"]
    assert [t.state for t in desk.targets(action)] == ["applying"]
    key = desk.targets(action)[0].key
    desk.cloud.trouble("away", times=0)
    with acting_as(desk.operator):
        retry_action(action=action, send=False)
    action = desk.run(action)
    assert action.status == "completed", desk.events(action)  # the approval of this very plan still counts
    assert [change["key"] for change in desk.cloud.changes()] == [key]


def test_a_retry_whose_plan_is_another_needs_approval_again(desk: Desk) -> None:
    action = desk.approve(desk.planned())
    desk.cloud.trouble("conflict", times=-1)
    action = desk.run(action)
    assert action.status == "failed"
    desk.cloud.trouble("conflict", times=0)
    desk.cloud.make(desk.buckets[0].native_id, public="else")
    with acting_as(desk.operator):
        retry_action(action=action, send=False)
    action = desk.run(action)
    assert action.status == "preflight"
    assert action.plan_revision == 2


def test_after_a_failure_nothing_more_of_a_set_is_changed(desk: Desk) -> None:
    action = desk.approve(desk.planned(desk.buckets))
    desk.cloud.trouble("denied", times=-1, ident=desk.buckets[1].native_id)
    action = desk.run(action)
    assert [t.state for t in desk.targets(action)] == ["verified", "failed", "cancelled"]
    assert (action.status, action.result["outcome"]) == ("failed", "partial")
    desk.cloud.trouble("denied", times=0)
    with acting_as(desk.operator):
        retry_action(action=action, send=False)
    action = desk.run(action)
    assert action.status == "completed", desk.events(action)
    assert [t.state for t in desk.targets(action)] == ["verified"] * 3
    assert len(desk.cloud.changes()) == 3


def test_gone_before_the_plan_is_left_out(desk: Desk) -> None:
    desk.cloud.remove(desk.buckets[1].native_id)
    action = desk.planned(desk.buckets)
    assert [t["name"] for t in action.plan["targets"]] == ["bucket-0", "bucket-2"]
    assert "not there any more" in action.plan["left_out"][0]["why"]
    assert desk.targets(action)[1].state == "left_out"
    action = desk.run(desk.approve(action))
    assert action.status == "completed"


def test_gone_after_the_plan_asks_again_and_then_ends(desk: Desk) -> None:
    action = desk.approve(desk.planned())
    desk.cloud.remove(desk.buckets[0].native_id)
    action = desk.run(action)
    assert (action.status, action.result["outcome"]) == ("failed", "cannot_plan")
    assert desk.cloud.changes() == []


def test_what_can_not_be_planned_says_why(desk: Desk) -> None:
    action = desk.planned([desk.add_bucket(99)])
    assert action.status == "failed"
    assert "It is a website" in action.result["message"]


def test_nothing_to_do_changes_nothing(desk: Desk) -> None:
    desk.cloud.make(desk.buckets[0].native_id, public=False)
    action = desk.planned()
    assert (action.status, action.result["outcome"]) == ("failed", "nothing_to_do")
    assert not may_retry(action)


def test_an_account_that_is_not_connected_says_so(desk: Desk) -> None:
    action = desk.planned([desk.add_bucket(8, account="unknown")])
    assert action.status == "failed"
    assert "is not connected" in action.result["message"]


def test_what_does_not_hold_is_brought_back(desk: Desk) -> None:
    bucket = desk.buckets[0]
    desk.cloud.make(bucket.native_id, public=True, stubborn=True)
    action = desk.approve(desk.planned())
    action = desk.run_until(action, "rolled_back")
    assert desk.cloud.look(bucket.native_id)["public"] is True
    assert [t.state for t in desk.targets(action)] == ["rolled_back"]
    assert [change["key"] for change in desk.cloud.changes()][1].endswith(":back")
    names = [entry["name"] for entry in manifest_of(action.result)]
    assert names[-1] == "verification-1.json"


def test_what_does_not_hold_and_can_not_be_undone_fails_with_what_is_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.cloud.make(desk.buckets[0].native_id, public=True, stubborn=True)
    action = desk.planned(type="test.destroy")
    assert action.approvals_needed == 2  # high risk
    desk.approve(action)
    action = desk.run_until(desk.approve(action, desk.second), "failed")
    assert "Left as it is" in action.result["message"]
    assert len(desk.cloud.changes()) == 1


def test_what_is_on_its_way_is_looked_at_again(desk: Desk) -> None:
    desk.cloud.make(desk.buckets[0].native_id, public=True, late=9)
    action = desk.run(desk.approve(desk.planned()))
    assert action.status == "verifying"
    assert desk.job(action).status == "queued"
    assert desk.run_until(action, "completed").result["outcome"] == "completed"


def test_the_store_away_waits_in_its_state_and_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    action = desk.approve(desk.planned())
    away = {"endpoint": "http://127.0.0.1:9", "public_endpoint": None}
    from django.conf import settings

    with monkeypatch.context() as patched:
        patched.setattr(settings, "EVIDENCE", {**settings.EVIDENCE, **away})
        patched.setattr(evidence_client, "ATTEMPTS", 1)
        action = desk.run(action)
        assert (action.status, action.waits_for) == ("in_progress", "store")
        assert desk.cloud.changes() == []  # nothing is changed that could not be proven
        action = desk.run(action)
        assert (action.status, action.waits_for) == ("in_progress", "store")
    assert sum("Waits for the evidence store" in event for event in desk.events(action)) == 1
    assert desk.run(action).status == "completed"


def test_the_database_refuses_completion_without_evidence(desk: Desk) -> None:
    from django.db import IntegrityError, transaction

    action = desk.approve(desk.planned())
    with desk.inside(), transaction.atomic():
        Action.objects.filter(pk=action.pk).update(status="verifying")
    with desk.inside(), pytest.raises(IntegrityError, match="without evidence"), transaction.atomic():
        Action.objects.filter(pk=action.pk).update(status="completed", result={"manifest": []})


class Killed(BaseException):
    """The worker is gone, at this very place."""


@pytest.mark.parametrize("operation", ["apply", "verify", "rollback", "read", "plan"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_around_each_call_it_goes_on_and_changes_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, operation: str, after: bool
) -> None:
    """The worker dies before or after the call, at its first and at its second: the next attempt does the rest."""
    stubborn = operation == "rollback"
    for bucket in desk.buckets[:2]:
        desk.cloud.make(bucket.native_id, public=True, **({"stubborn": True} if stubborn else {}))
    executor = clouds.EXECUTORS["test.set_public"]
    real, calls = getattr(type(executor), operation), []

    def dying(self: Any, *args: Any) -> Any:
        calls.append(operation)
        if not after and len(calls) in (1, 3):
            raise Killed
        answer = real(self, *args)
        if after and len(calls) in (1, 3):
            raise Killed
        return answer

    action = desk.propose(desk.buckets[:2])
    with monkeypatch.context() as patched:
        patched.setattr(type(executor), operation, dying)
        for _ in range(25):
            try:
                action = desk.run(action)
            except Killed:
                _lease_runs_out(desk, action)
                continue
            if action.status == "preflight" and action.waits_for == "approval":
                action = desk.approve(action)
            if action.status in ("completed", "rolled_back", "failed"):
                break
    assert action.status == ("rolled_back" if stubborn else "completed"), desk.events(action)
    keys = [change["key"] for change in desk.cloud.changes()]
    assert len(keys) == len(set(keys)) == (4 if stubborn else 2)
    for bucket in desk.buckets[:2]:
        assert desk.cloud.look(bucket.native_id)["public"] is stubborn


def _lease_runs_out(desk: Desk, action: Action) -> None:
    from django.db import transaction

    from apps.jobs.models import Job

    connection.close()
    with desk.inside(), transaction.atomic():
        job_id = Action.objects.get(pk=action.pk).job_id
        Job.objects.filter(pk=job_id).update(lease_until=desk.long_ago)


def test_changed_by_others_while_a_worker_was_dead_is_drift(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = desk.approve(desk.planned())
    executor = clouds.EXECUTORS["test.set_public"]

    def dying(self: Any, *args: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(executor), "apply", dying)
        with pytest.raises(Killed):
            desk.run(action)
    _lease_runs_out(desk, action)
    desk.cloud.make(desk.buckets[0].native_id, public="by somebody else")
    action = desk.run(action)
    assert (action.status, action.plan_revision) == ("preflight", 2)
    assert desk.cloud.changes() == []


def test_a_job_that_was_given_up_leaves_a_dead_letter(desk: Desk) -> None:
    from django.db import transaction

    from apps.jobs.models import Job
    from apps.jobs.services import finish

    action = desk.approve(desk.planned())
    with desk.inside(), transaction.atomic():
        job = Job.objects.get(pk=Action.objects.get(pk=action.pk).job_id)
        Job.objects.filter(pk=job.pk).update(status="running")
        job.refresh_from_db()
        finish(job, "failed", error="Given up: 5 attempts ended without a word.")
    action = desk.now(action)
    assert (action.status, action.result["outcome"]) == ("failed", "dead_letter")
    with acting_as(desk.operator):
        retry_action(action=action, send=False)
    assert desk.run(action).status == "completed"


def test_an_action_whose_job_is_gone_gets_a_new_one(desk: Desk) -> None:
    from django.db import transaction

    from apps.actions.runner.job import sweep_actions
    from apps.jobs.models import Job

    action = desk.approve(desk.planned())
    with desk.inside(), transaction.atomic():
        Job.objects.filter(pk=Action.objects.get(pk=action.pk).job_id).update(status="succeeded")
    with desk.inside(), transaction.atomic():
        assert sweep_actions() == 1
        assert sweep_actions() == 0
    assert desk.run(action).status == "completed"


# --- people -------------------------------------------------------------------------------------------
def test_rejected_it_ends_with_the_reason_and_is_not_retried(desk: Desk) -> None:
    action = desk.planned()
    with acting_as(desk.approver):
        with pytest.raises(InvalidInput):
            reject_action(action=action, plan_sha256=action.plan_sha256, reason=" ")
        reject_action(action=action, plan_sha256=action.plan_sha256, reason="not this week")
    assert (action.status, action.result["outcome"]) == ("failed", "rejected")
    assert action.result["message"] == "not this week"
    with acting_as(desk.operator), pytest.raises(IllegalTransition):
        retry_action(action=action)


def test_cancelled_before_it_began(desk: Desk) -> None:
    action = desk.planned()
    with acting_as(desk.operator):
        cancel_action(action=action)
    assert (action.status, action.result["outcome"]) == ("failed", "cancelled")
    with acting_as(desk.approver), pytest.raises(StaleState):
        approve_action(action=action, plan_sha256=action.plan_sha256)
    assert desk.cloud.changes() == []


def test_cancelled_midway_it_stops_before_the_next_resource(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = desk.approve(desk.planned(desk.buckets))
    executor = clouds.EXECUTORS["test.set_public"]
    real = type(executor).apply

    def cancelling(self: Any, *args: Any) -> Any:
        answer = real(self, *args)
        with acting_as(desk.operator):
            cancel_action(action=Action.objects.get(pk=action.pk))
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(type(executor), "apply", cancelling)
        action = desk.run(action)
    assert [t.state for t in desk.targets(action)] == ["verified", "cancelled", "cancelled"]
    assert (action.status, action.result["outcome"]) == ("failed", "cancelled")
    assert len(desk.cloud.changes()) == 1


def test_rolled_back_by_an_action_of_its_own(desk: Desk) -> None:
    bucket = desk.buckets[0]
    done = desk.done()
    with acting_as(desk.operator):
        back = propose_rollback(action=done, reason="it broke the site", send=False)
    back = desk.run(back)
    assert back.status == "preflight"
    assert back.plan["targets"][0]["after"] == {"public": True}
    assert desk.cloud.look(bucket.native_id)["public"] is False
    with acting_as(desk.operator), pytest.raises(StaleState):
        propose_rollback(action=done)
    back = desk.run(desk.approve(back))
    assert back.status == "completed", desk.events(back)
    assert desk.cloud.look(bucket.native_id)["public"] is True
    assert desk.now(done).status == "rolled_back"
    assert manifest_of(back.result)[-1]["name"] == "verification-1.json"
    with acting_as(desk.operator), pytest.raises(StaleState):
        propose_rollback(action=done)


def test_what_can_not_be_undone_says_why(desk: Desk) -> None:
    action = desk.planned(type="test.destroy")
    desk.approve(action)
    action = desk.run(desk.approve(action, desk.second))
    assert action.status == "completed"
    with acting_as(desk.operator), pytest.raises(InvalidInput, match="can't be undone"):
        propose_rollback(action=action)


@pytest.mark.parametrize("second", ["approve", "reject"])
def test_of_two_approvers_at_one_instant_one_wins_and_the_other_is_told(desk: Desk, second: str) -> None:
    action = desk.planned()
    both, results = threading.Barrier(2, timeout=20), [None, None]

    def decide(number: int, user: Any) -> None:
        try:
            with acting_as(user):
                found = Action.objects.get(pk=action.pk)
                both.wait()
                if number and second == "reject":
                    reject_action(action=found, plan_sha256=found.plan_sha256, reason="no")
                else:
                    approve_action(action=found, plan_sha256=found.plan_sha256, send=False)
        except BaseException as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=pair) for pair in enumerate((desk.approver, desk.second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lost = [error for error in results if error is not None]
    assert len(lost) == 1
    assert isinstance(lost[0], StaleState), lost
    assert "It was" in str(lost[0])
    winner = results.index(None)
    assert desk.now(action).status == ("failed" if winner and second == "reject" else "in_progress")


def test_every_step_is_in_the_audit_trail(desk: Desk) -> None:
    from django.db import transaction

    action = desk.done()
    with desk.inside(), transaction.atomic():
        rows = Audit.objects.filter(target_type="actions.action", target_id=str(action.pk)).order_by(
            "created_at", "id"
        )
        codes = [row.action.removeprefix("actions.action.") for row in rows]
    assert codes == ["requested", "preflight", "planned", "approved", "in_progress", "verifying", "completed"]
