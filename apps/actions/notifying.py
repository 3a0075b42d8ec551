"""Who is told what: approvers that something waits for them, the requester what became of it.

Written in the transaction of what happened; it is told if and only if that commits, and never stops it.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from apps.core.context import current
from apps.notices.services import notify
from apps.tenancy.roles import Role

from .models import Action

FAMILY, FAMILY_TITLE = "actions", "Actions on the cloud"
OCCASIONS = {
    "waiting": "An action waits for approval",
    "decided": "An action that you asked for was decided",
    "ended": "An action that you asked for has ended",
}


def tell_waiting(action: Action) -> None:
    """To the approvers but who asked, with a deep link to the decision."""
    plan = action.plan or {}
    targets = plan.get("targets") or []
    names = ", ".join(str(target["name"]) for target in targets[:5])
    more = f" and {len(targets) - 5} more" if len(targets) > 5 else ""
    because = "; ".join((plan.get("approvals") or {}).get("because") or [])
    notify(
        code="actions.waiting",
        title=f"Waits for approval: {plan.get('title') or action.type}",
        text=f"{plan.get('title') or action.type} on {names}{more}. It needs {action.approvals_needed} "
        f"approval(s): {because}. Plan {action.plan_sha256}.",
        path=reverse("admin:actions_action_change", args=[action.pk]),
        roles=[Role.APPROVER],
        besides=[action.requested_by_id] if action.requested_by_id else [],
        payload=_payload(action),
        key=f"{action.pk}:{action.plan_revision}:{action.plan_sha256}",
    )


def tell_decided(action: Action, decision: str) -> None:
    """To who asked."""
    _tell_requester(
        action, "decided", f"{decision.capitalize()}: {_title(action)}", f"Your action was {decision}."
    )


def tell_ended(action: Action) -> None:
    """To who asked, unless it was he who ended it."""
    if action.requested_by_id is not None and action.requested_by_id == current().actor.user_id:
        return
    message = str((action.result or {}).get("message") or "")
    _tell_requester(
        action, "ended", f"{action.status.replace('_', ' ').capitalize()}: {_title(action)}", message
    )


def _tell_requester(action: Action, occasion: str, title: str, text: str) -> None:
    notify(
        code=f"actions.{occasion}",
        title=title,
        text=text,
        path=reverse("actions:action-detail", args=[action.pk]),
        users=[action.requested_by_id] if action.requested_by_id else [],
        payload=_payload(action),
    )


def _title(action: Action) -> str:
    return str((action.plan or {}).get("title") or action.type)


def _payload(action: Action) -> dict[str, Any]:
    return {
        "action_id": str(action.pk),
        "type": action.type,
        "status": action.status,
        "plan_sha256": action.plan_sha256,
        "outcome": (action.result or {}).get("outcome"),
    }
