"""Undoing a finished action: an action of its own, with its own preflight, approval, events and evidence."""

from __future__ import annotations

from django.db import transaction

from apps.core.errors import InvalidInput, StaleState
from apps.core.ids import new_id

from ..models import ENDED, Action, ActionTarget
from ..rules import RISKS
from ..states import say
from .proposing import _reason, _requester, known_kind, refuse_second, write_action
from .scheduling import schedule

CHANGED = ("applied", "verified")


def reversible_targets(action: Action) -> list[ActionTarget]:
    """What the action has changed and its kind can undo."""
    changed = action.targets.filter(state__in=CHANGED).order_by("ordinal")
    return [target for target in changed if (target.change or {}).get("reversible")]


def may_roll_back(action: Action) -> bool:
    return action.status in ("completed", "failed") and bool(reversible_targets(action))


def propose_rollback(
    *, action: Action, reason: str = "", idempotency_key: str | None = None, send: bool = True
) -> Action:
    """Ask for an action that brings back what `action` found. When it is done, `action` is rolled back.

    Raises StaleState where it has not ended or is being undone already, InvalidInput where nothing of it can
    be undone, saying why.
    """
    requester, executor = _requester(), known_kind(action.type)
    with transaction.atomic():
        original = Action.objects.select_for_update().get(pk=action.pk)
        if idempotency_key and (earlier := Action.objects.filter(idempotency_key=idempotency_key).first()):
            if earlier.reverses_id != original.pk:
                raise InvalidInput("This idempotency key stands for another action.", field="Idempotency-Key")
            return earlier
        if original.status not in ("completed", "failed"):
            raise StaleState(f"This action is {original.status.replace('_', ' ')}: there is nothing to undo.")
        if original.reversals.exclude(status__in=ENDED).exists():
            raise StaleState("This action is being rolled back already.")
        targets = reversible_targets(original)
        if not targets:
            changed = original.targets.filter(state__in=CHANGED).first()
            why = (changed.change or {}).get("undo", "") if changed is not None else "it has changed nothing."
            raise InvalidInput(f"This action can't be undone: {why}", field="action")
        refuse_second(original.type, [target.resource_id for target in targets])
        reversal = Action(
            type=original.type,
            resource_id=targets[0].resource_id if len(targets) == 1 else None,
            requested_by_id=requester,
            status="queued",
            params={k: v for k, v in original.params.items() if k != "requires_approval"},
            reason=_reason(reason),
            risk=RISKS.index(executor.kind.risk) + 1,
            reverses=original,
            idempotency_key=idempotency_key or str(new_id()),
        )
        write_action(reversal, [(t.resource_id, t.name, t.native_id, None) for t in targets])
        say(reversal, f"Asked for: undo “{executor.kind.title}” of {original.pk}.")
        say(original, f"A rollback was asked for: {reversal.pk}.")
        schedule(reversal, send=send)
    return reversal
