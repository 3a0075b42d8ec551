"""The states of exceptions, whose edges a trigger of the database holds too, and of recommendations."""

from apps.core.states import StateMachine

from .models import PolicyException, Recommendation

EXCEPTION_MACHINE = StateMachine(
    model=PolicyException,
    transitions={
        "pending": frozenset({"approved", "rejected", "expired"}),
        "approved": frozenset({"expired"}),
    },
    audit_prefix="findings.exception",
)

# What a person does; that a detector says no more (open to gone) and says again is the scan's.
RECOMMENDATION_MACHINE = StateMachine(
    model=Recommendation,
    transitions={
        "open": frozenset({"accepted", "dismissed"}),
        "accepted": frozenset({"open", "dismissed"}),
        "dismissed": frozenset({"open", "accepted"}),
    },
    audit_prefix="findings.recommendation",
)
