"""Verifying: the live state is read again. What does not hold is brought back where the kind can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.catalog.models import Resource
from apps.catalog.services.discoveries import discover_soon
from apps.connectors.errors import CloudError
from apps.core.db.fields import TransactionNow
from apps.core.errors import NotFound, Refused
from apps.core.states import transition
from apps.jobs.running import JobPostponed

from ..evidence import Piece, sealed
from ..executors.base import CannotPlan, Receipt, Verdict
from ..models import Action, ActionTarget
from ..plans import change_of, plain
from ..states import ACTION_MACHINE, say
from ..troubles import words
from .execution import Step, _params, steps_of
from .run import Overtaken, Run
from .targets import receipt_as_json, receipt_of

STATE = "verifying"
# A difference may be a late answer: so many looks before it counts.
SURE_AFTER = 3
# Something on its way gets this many looks, half an hour in all.
MOST_LOOKS = 70
LOOK_WAITS = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8, 15, 30))


def verify(run: Run, action: Action, rows: Sequence[ActionTarget]) -> None:
    steps = [s for s in steps_of(run, action, rows) if s.row.state in ("applied", "rolling_back")]
    wait: timedelta | None = None
    waiting_for = ""
    for number, step in enumerate(steps, start=1):
        if step.row.state == "rolling_back" or not _look(run, action, step):
            if step.row.state != "rolling_back":
                waiting_for = step.row.name
                wait = min(wait or LOOK_WAITS[-1], LOOK_WAITS[min(step.row.looks, len(LOOK_WAITS) - 1)])
                continue
            _bring_back(run, action, step)
        run.handle.checkpoint(number, len(steps), "Verifying")
    if wait is not None:
        raise JobPostponed(wait, f"Waits for {waiting_for} to get there")
    _finish(run)


def _look(run: Run, action: Action, step: Step) -> bool:
    """True where it is decided (verified, or failed for good); False to look again or, `rolling_back`, to undo."""
    verdict = _verdict(run, action, step)
    looks = step.row.looks + 1
    with run.recording(STATE) as locked:
        row = ActionTarget.objects.get(pk=step.row.pk)
        row.looks, row.live_after = looks, plain(verdict.state)
        if verdict.holds:
            row.state, row.ended_at = "verified", timezone.now()
            say(locked, f"Verified: {row.name}.")
        elif looks >= (MOST_LOOKS if verdict.pending else SURE_AFTER):
            why = (
                "it did not get there in time"
                if verdict.pending
                else f"differs: {', '.join(verdict.differences)}"
            )
            _does_not_hold(locked, step, row, why)
        row.save()
        Action.objects.filter(pk=locked.pk).update(attempts=0, waits_for="")
        step.row = row
    return row.state in ("verified", "failed")


def _verdict(run: Run, action: Action, step: Step) -> Verdict:
    receipt = receipt_of(step.row.receipt)
    try:
        cloud = run.cloud(step.target.provider, step.target.account)
        return run.call(run.executor.verify, cloud, step.target, step.change, _params(action), receipt)
    except CloudError as error:
        if error.retryable:
            raise run.wait_for_cloud(error, STATE, f"Verifying {step.row.name}") from error
        return Verdict({"error": words(error)}, (words(error),))


def _does_not_hold(action: Action, step: Step, row: ActionTarget, why: str) -> None:
    can = step.change.reversible and step.original is None
    if can:
        row.state, row.note = "rolling_back", f"It does not hold: {why}"
        say(action, f"{row.name} does not hold ({why}): bringing back what was there.")
    else:
        left = "a rollback is not undone by itself" if step.original is not None else step.change.undo
        row.state, row.note, row.ended_at = (
            "failed",
            f"It does not hold: {why}. Left as it is: {left}",
            timezone.now(),
        )
        say(action, f"{row.name} does not hold ({why}). It stays as it is: {left}")


def _bring_back(run: Run, action: Action, step: Step) -> None:
    made, key = receipt_of(step.row.receipt), f"{step.row.key}:back"
    receipt, problem = Receipt(), ""
    try:
        cloud = run.cloud(step.target.provider, step.target.account)
        receipt = run.call(run.executor.rollback, cloud, step.target, step.change, _params(action), made, key)
    except CloudError as error:
        if error.retryable:
            raise run.wait_for_cloud(error, STATE, f"Bringing back {step.row.name}") from error
        problem = words(error)
    except (CannotPlan, NotFound, Refused) as error:
        problem = words(error)
    with run.recording(STATE) as locked:
        state = "failed" if problem else "rolled_back"
        note = f"{step.row.note}. It could not be brought back: {problem}" if problem else step.row.note
        ActionTarget.objects.filter(pk=step.row.pk).update(
            state=state, note=note, undo_receipt=receipt_as_json(receipt), ended_at=TransactionNow()
        )
        say(locked, note if problem else f"Brought back: {step.row.name} is as it was.")


# --- the end ------------------------------------------------------------------------------------------
def _finish(run: Run) -> None:
    action, rows = run.load()
    if action.status != STATE:
        raise Overtaken
    entries = run.lock(action, [_after(action, rows)], STATE)
    state, outcome, message = outcome_of(rows, cancelled=action.cancel_requested)
    with run.recording(STATE) as locked:
        retryable = outcome in ("failed", "partial", "rolled_back")
        facts = {"targets": counts(rows)}
        run.end(locked, outcome, message, state=state, retryable=retryable, entries=entries, facts=facts)
        if state == "completed" and locked.reverses_id is not None:
            _mark_original(locked.reverses_id, locked, rows)
        touched = [row.resource_id for row in rows if row.applied_at is not None]
        discover_soon(accounts=Resource.objects.filter(pk__in=touched).values_list("provider", "account"))


def counts(rows: Sequence[ActionTarget]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        found[row.state] = found.get(row.state, 0) + 1
    return found


def outcome_of(rows: Sequence[ActionTarget], *, cancelled: bool = False) -> tuple[str, str, str]:
    """(state, outcome, message) of an action of which nothing is left to do."""
    n = counts(rows)
    verified, back, failed = n.get("verified", 0), n.get("rolled_back", 0), n.get("failed", 0)
    stopped = n.get("cancelled", 0)
    if not (back or failed or stopped):
        left = n.get("left_out", 0)
        more = f"; {left} had been left out" if left else ""
        return "completed", "completed", f"{_resources(verified)} changed and verified{more}."
    if back and not (verified or failed or stopped):
        return "rolled_back", "rolled_back", f"It did not hold, and {_resources(back)} brought back."
    parts = [
        f"{verified} changed and verified" if verified else "",
        f"{back} brought back" if back else "",
        f"{failed} failed" if failed else "",
        f"{stopped} not touched" if stopped else "",
    ]
    why = "; ".join(f"{row.name}: {row.note}" for row in rows if row.state in ("failed", "rolled_back"))
    message = f"Of {len(rows)}: {', '.join(part for part in parts if part)}. {why}".strip()
    return "failed", "cancelled" if cancelled else "partial" if verified else "failed", message


def _resources(n: int) -> str:
    return f"{n} resource{' was' if n == 1 else 's were'}"


def _after(action: Action, rows: Sequence[ActionTarget]) -> Piece:
    looked: list[Mapping[str, Any]] = [
        {
            "n": row.ordinal,
            "resource": row.native_id,
            "state": row.state,
            "wanted": change_of(row.change).after if row.change else None,
            "live": row.live_after,
            "looks": row.looks,
            "note": row.note,
            "undo": row.undo_receipt,
        }
        for row in rows
    ]
    at = max([row.ended_at for row in rows if row.ended_at], default=action.updated_at)
    facts = {"action": str(action.pk), "plan_sha256": action.plan_sha256, "targets": looked}
    return Piece(f"verification-{action.plan_revision}.json", facts, f"{action.type}: verify", at)


def _mark_original(reversal_of: UUID, reversal: Action, rows: Sequence[ActionTarget]) -> None:
    original = Action.objects.select_for_update().get(pk=reversal_of)
    back = [row.resource_id for row in rows if row.state in ("verified", "nothing")]
    ActionTarget.objects.filter(action=original, resource_id__in=back).update(state="rolled_back")
    if original.status in ("completed", "failed"):
        note = f"Undone by {reversal.pk}."
        result = {**(original.result or {}), "outcome": "rolled_back", "message": note, "retryable": False}
        transition(
            ACTION_MACHINE,
            original,
            "rolled_back",
            changes={"result": result},
            note=note,
            payload=sealed(result),
        )
