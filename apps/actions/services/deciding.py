"""Approving and rejecting: of just the plan that was shown, never by who asked for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.services import record
from apps.core.context import current
from apps.core.errors import FourEyes, GovernanceError, InvalidInput, NotFound, Refused, StaleState
from apps.core.states import transition

from ..evidence import sealed
from ..models import Action, ActionApproval
from ..notifying import tell_decided
from ..states import ACTION_MACHINE, say
from .proposing import REASON_LIMIT
from .scheduling import schedule

OWN = "You asked for this action: somebody else has to decide."
# What the database's own refusals mean, by the constraint's name.
_REFUSALS: dict[str, GovernanceError] = {
    "action_approvals_four_eyes": FourEyes(OWN),
    "action_approvals_role": Refused("Only an approver decides on actions."),
    "action_approvals_once": StaleState("You have already decided on this plan."),
    "action_approvals_current": StaleState("This plan no longer waits for a decision."),
}


def approve_action(*, action: Action, plan_sha256: str, reason: str = "", send: bool = True) -> Action:
    """Approve the plan with this digest; with the last approval that it needs it is carried out.

    Raises FourEyes for the requester himself, StaleState where the plan is another by now or somebody else
    decided first, Refused for who is no approver.
    """
    with transaction.atomic():
        locked = _waiting(action, plan_sha256)
        given = _decide(locked, "approved", reason)
        if given >= locked.approvals_needed:
            note = f"Approved ({given} of {locked.approvals_needed}): carrying it out."
            transition(
                ACTION_MACHINE, locked, "in_progress", note=note,
                changes={"waits_for": "", "attempts": 0}, payload={"plan_sha256": plan_sha256},
            )  # fmt: skip
            schedule(locked, send=send)
        else:
            say(locked, f"Approved ({given} of {locked.approvals_needed}): somebody else must approve too.")
        tell_decided(locked, "approved")
    action.refresh_from_db()
    return action


def reject_action(*, action: Action, plan_sha256: str, reason: str) -> Action:
    """Refuse it, saying why; it ends. Raises as approve_action does."""
    if not reason.strip():
        raise InvalidInput("A rejection says why.", field="reason")
    with transaction.atomic():
        locked = _waiting(action, plan_sha256)
        _decide(locked, "rejected", reason)
        outcome = {"outcome": "rejected", "message": reason.strip()[:REASON_LIMIT], "retryable": False}
        transition(
            ACTION_MACHINE, locked, "failed", note=f"Rejected: {reason.strip()[:REASON_LIMIT]}",
            changes={"result": {**(locked.result or {}), **outcome}, "waits_for": ""},
            payload=sealed(locked.result),
        )  # fmt: skip
        tell_decided(locked, "rejected")
    action.refresh_from_db()
    return action


def approvals_given(action: Action) -> int:
    """Valid approvals: of the plan as it is now."""
    return ActionApproval.objects.filter(
        action=action, decision="approved", plan_revision=action.plan_revision, plan_sha256=action.plan_sha256
    ).count()


def is_waiting(action: Action) -> bool:
    return (
        action.status == "preflight" and str((action.params or {}).get("requires_approval")).lower() == "true"
    )


def _waiting(action: Action, plan_sha256: str) -> Action:
    """The action, locked, as long as this plan of it waits: of two deciders the second finds the first's."""
    locked = Action.objects.select_for_update().filter(pk=action.pk).first()
    if locked is None:
        raise NotFound("There is no such action.")
    if locked.requested_by_id == _decider():
        raise FourEyes(OWN)
    if not is_waiting(locked):
        raise StaleState(already(locked))
    if locked.plan_sha256 != plan_sha256:
        raise StaleState("The plan has changed since it was shown. Look again and decide anew.")
    return locked


def already(action: Action) -> str:
    """Why nothing can be decided any more, and who was first: for whoever comes second."""
    last = (
        ActionApproval.objects.filter(action=action)
        .select_related("decided_by")
        .order_by("-created_at")
        .first()
    )
    who = (
        f" It was {last.decision} by {last.decided_by} at {last.created_at:%Y-%m-%d %H:%M} UTC."
        if last
        else ""
    )
    return f"This action does not wait for a decision: it is {action.status.replace('_', ' ')}.{who}"


def _decider() -> UUID:
    decider = current().actor.user_id
    if decider is None:
        raise Refused("An action is decided on by a person.")
    return decider


def _decide(action: Action, decision: str, reason: str) -> int:
    """Write the decision; how many valid approvals there are now."""
    row = ActionApproval(
        action=action,
        requested_by_id=action.requested_by_id
        or _decider(),  # who asked in nobody's name is nobody to approve
        decided_by_id=_decider(),
        plan_revision=action.plan_revision,
        plan_sha256=action.plan_sha256,
        decision=decision,
        reason=reason.strip()[:REASON_LIMIT],
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise _meaning(error) from error
    facts: dict[str, Any] = {"plan_sha256": action.plan_sha256, "revision": action.plan_revision}
    record(f"actions.action.{decision}", action, facts | {"reason": row.reason})
    return approvals_given(action)


def _meaning(error: IntegrityError) -> Exception:
    name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or ""
    known = _REFUSALS.get(name)
    return type(known)(str(known)) if known is not None else error
