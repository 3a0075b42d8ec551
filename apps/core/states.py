"""The one way in which a state changes: compare-and-set, with its event and its audit row, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction

from .errors import IllegalTransition, StaleState
from .recording import record

# Writes the row of the object's own history: (object as it now is, from, to, note).
EventWriter = Callable[[models.Model, str, str, str], Any]


@dataclass(frozen=True)
class StateMachine:
    """The states of a model: {from: {to, …}}, the prefix of its audit codes, and who writes its events.

    `codes` names the audit code's past participle where it differs from the state's own name.
    """

    model: type[models.Model]
    transitions: Mapping[str, frozenset[str]]
    audit_prefix: str
    event: EventWriter | None = None
    field: str = "status"

    def allows(self, from_state: str, to_state: str) -> bool:
        return to_state in self.transitions.get(from_state, frozenset())


def transition(
    machine: StateMachine,
    instance: models.Model,
    to_state: str,
    *,
    changes: Mapping[str, Any] | None = None,
    guard: models.Q | None = None,
    note: str = "",
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Move `instance` from the state it was read in to `to_state`, with `changes` to other columns.

    One conditional UPDATE decides who wins; its event and audit rows are written in the same transaction.
    `guard` adds conditions that must still hold. On success `instance` carries the new values.
    Raises IllegalTransition where the machine has no such edge, StaleState where the row is no longer in
    the state that `instance` was read in (or the guard no longer holds).
    """
    from_state = getattr(instance, machine.field)
    if not machine.allows(from_state, to_state):
        raise IllegalTransition(f"{instance._meta.verbose_name} can't go from {from_state} to {to_state}.")
    values = {machine.field: to_state, **(changes or {})}
    with transaction.atomic():
        rows = machine.model._default_manager.filter(pk=instance.pk, **{machine.field: from_state})
        if guard is not None:
            rows = rows.filter(guard)
        if rows.update(**values) == 0:
            raise StaleState(
                f"This {instance._meta.verbose_name} is no longer {from_state}: somebody else moved it first."
            )
        for name, value in values.items():
            setattr(instance, name, value)
        if machine.event is not None:
            machine.event(instance, from_state, to_state, note)
        record(
            f"{machine.audit_prefix}.{to_state}",
            instance,
            {"from": from_state, "to": to_state, **({"note": note} if note else {}), **(payload or {})},
        )
