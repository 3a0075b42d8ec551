"""The job of an action: it goes from state to state until it must wait for a person or has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from apps.core.context import tenant_transaction
from apps.core.errors import NotFound
from apps.core.states import transition
from apps.jobs.models import CANCELLED, FAILED, QUEUED, RUNNING, Job
from apps.jobs.running import JobHandle

from ..evidence import sealed
from ..models import ENDED, Action
from ..notifying import tell_ended
from ..ports import find_executor
from ..services.scheduling import JOB_TYPE, schedule
from ..states import ACTION_MACHINE, say
from .execution import execute
from .preflight import preflight, start
from .run import Overtaken, Run
from .verification import verify


def run_action(handle: JobHandle) -> Mapping[str, Any]:
    """The handler of `actions.execute`: {action, status}."""
    action_id = UUID(str(handle.params["action"]))
    with tenant_transaction(handle.tenant_id):
        action = Action.objects.filter(pk=action_id).first()
        if action is None:
            raise NotFound(f"There is no action {action_id}.")
    executor = find_executor(action.type)
    if executor is None:
        raise NotFound(f"There is no kind of action {action.type!r} in this version.")
    run = Run(handle, executor)
    # A person moved it, or it was put aside: whatever this turn had found is not recorded.
    with contextlib.suppress(Overtaken):
        _advance(run)
    action, _ = run.load()
    return {"action": str(action.pk), "status": action.status}


def _advance(run: Run) -> None:
    goes_on = True
    while goes_on:
        action, rows = run.load()
        if action.job_id != run.handle.job_id:
            raise Overtaken
        if action.status == "queued":
            start(run)
        elif action.status == "preflight":
            goes_on = preflight(run, action, rows)
        elif action.status == "in_progress":
            execute(run, action, rows)
        elif action.status == "verifying":
            verify(run, action, rows)
        else:
            goes_on = False


def end_with_job(job: Job) -> None:
    """A job that failed for good or was cancelled leaves no action behind that nobody moves: it is put aside
    with the reason, to be tried again by a person."""
    if job.status not in (FAILED, CANCELLED):
        return
    action = Action.objects.select_for_update().filter(job_id=job.pk).exclude(status__in=ENDED).first()
    if action is None or (action.status == "preflight" and action.waits_for == "approval"):
        return
    changed = action.targets.filter(state__in=["applying", "applied", "verified"]).count()
    left = f" {changed} resource(s) were changed or begun with." if changed else " Nothing was changed."
    outcome = "dead_letter" if job.status == FAILED else "cancelled_job"
    message = f"{job.error or 'Its job ended.'}{left}"
    result = {**(action.result or {}), "outcome": outcome, "message": message, "retryable": True}
    changes = {"result": result, "waits_for": ""}
    note = f"Put aside: {message} It may be tried again."
    transition(
        ACTION_MACHINE, action, "failed", changes=changes, note=note, payload=sealed(result, outcome=outcome)
    )
    tell_ended(action)


def sweep_actions() -> int:
    """Actions that should move and whose job is not there (any more) get a new one."""
    moving = (
        Q(status__in=["queued", "in_progress", "verifying"])
        | Q(status="preflight", waits_for="")
        | Q(status="preflight", waits_for__in=["cloud", "store"])
    )
    alive = Job.objects.filter(pk=OuterRef("job_id"), status__in=[QUEUED, RUNNING])
    lost = Action.objects.filter(moving, ~Exists(alive), job_id__isnull=False)
    mended = 0
    for action in lost.select_for_update(of=("self",))[:100]:
        say(action, "Taken up again: its job was gone.")
        schedule(action)
        mended += 1
    return mended


__all__ = ["JOB_TYPE", "end_with_job", "run_action", "sweep_actions"]
