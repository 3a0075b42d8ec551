"""The states of an exception; a trigger of the database holds the same edges."""

from apps.core.states import StateMachine

from .models import PolicyException

EXCEPTION_MACHINE = StateMachine(
    model=PolicyException,
    transitions={
        "pending": frozenset({"approved", "rejected", "expired"}),
        "approved": frozenset({"expired"}),
    },
    audit_prefix="findings.exception",
)
