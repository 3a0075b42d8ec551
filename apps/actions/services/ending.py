"""Cancelling, and trying again what has failed."""

from __future__ import annotations

from django.db import transaction

from apps.audit.services import record
from apps.core.errors import IllegalTransition, StaleState
from apps.core.states import transition

from ..evidence import sealed
from ..models import ENDED, Action
from ..states import ACTION_MACHINE, say
from .proposing import refuse_second
from .scheduling import hasten, schedule

# What ended so has been decided: ask anew instead.
FINAL = ("rejected", "cancelled", "nothing_to_do")
# What a retry takes up again; what is done stays done, and what may be half done keeps its key.
AGAIN = ("failed", "rolled_back", "left_out", "cancelled", "nothing")


def cancel_action(*, action: Action, reason: str = "") -> Action:
    """Stop it. Before it is carried out it ends at once; later before the next resource, and what was changed
    stays changed and is verified."""
    with transaction.atomic():
        locked = Action.objects.select_for_update().get(pk=action.pk)
        why = reason.strip()[:1000]
        if locked.status in ("queued", "preflight"):
            message = f"Cancelled before anything was changed{': ' + why if why else '.'}"
            outcome = {"outcome": "cancelled", "message": message, "retryable": False}
            changes = {"result": {**(locked.result or {}), **outcome}, "waits_for": ""}
            transition(
                ACTION_MACHINE, locked, "failed", note=message, changes=changes, payload=sealed(locked.result)
            )
        elif locked.status == "in_progress":
            Action.objects.filter(pk=locked.pk).update(cancel_requested=True)
            say(locked, "Asked to stop: no further resource is changed.")
            record("actions.action.cancel_requested", locked, {"reason": why})
            hasten(locked)
        elif locked.status == "verifying":
            raise StaleState("Everything has been changed already: roll it back once it is verified.")
        else:
            raise StaleState(f"This action is already {locked.status.replace('_', ' ')}.")
    action.refresh_from_db()
    return action


def may_retry(action: Action) -> bool:
    outcome = (action.result or {}).get("outcome")
    return action.status == "failed" and outcome not in FINAL and action.targets.exists()


def retry_action(*, action: Action, send: bool = True) -> Action:
    """Take up what failed. It goes through preflight again; what was approved counts while the plan is the same."""
    with transaction.atomic():
        locked = Action.objects.select_for_update().get(pk=action.pk)
        if not may_retry(locked):
            raise IllegalTransition(
                "Only what has failed can be tried again; what was rejected, cancelled or had nothing to do is "
                "asked for anew."
                if locked.status in ENDED
                else f"This action is {locked.status.replace('_', ' ')}: it goes on by itself."
            )
        again = locked.targets.filter(state__in=AGAIN)
        refuse_second(locked.type, list(again.values_list("resource_id", flat=True)))
        result = {key: value for key, value in (locked.result or {}).items() if key == "manifest"}
        transition(
            ACTION_MACHINE, locked, "queued",
            changes={"result": result, "attempts": 0, "waits_for": "", "cancel_requested": False},
        )  # fmt: skip
        for target in again:
            target.state, target.note, target.key, target.looks = "planned", "", "", 0
            target.receipt = target.undo_receipt = target.ended_at = None
            target.save()
        schedule(locked, send=send)
    action.refresh_from_db()
    return action
