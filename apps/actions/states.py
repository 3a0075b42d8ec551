"""The states of an action; a trigger of the database holds the same edges.

Rejection and cancellation are `failed`, with `result.outcome`. `in_progress → preflight` is drift: what was
approved is no longer what is there. `failed → queued` is a person's retry.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.core.states import StateMachine

from .models import Action, ActionEvent

WORDS = {
    "preflight": "The preflight began.",
    "in_progress": "Carrying it out.",
    "verifying": "Looking whether it holds.",
    "completed": "Done and verified.",
    "failed": "It ended without success.",
    "rolled_back": "It was undone.",
    "queued": "To be tried again.",
}


def write_event(action: models.Model, from_state: str, to_state: str, note: str) -> Any:
    say(action, note or WORDS[to_state])


def say(action: models.Model, message: str) -> None:
    """A line of the action's history."""
    ActionEvent(action_id=action.pk, message=message).save(force_insert=True)


ACTION_MACHINE = StateMachine(
    model=Action,
    transitions={
        "queued": frozenset({"preflight", "failed"}),
        "preflight": frozenset({"in_progress", "failed"}),
        "in_progress": frozenset({"verifying", "preflight", "failed"}),
        "verifying": frozenset({"completed", "failed", "rolled_back"}),
        "completed": frozenset({"rolled_back"}),
        "failed": frozenset({"rolled_back", "queued"}),
    },
    audit_prefix="actions.action",
    event=write_event,
)
