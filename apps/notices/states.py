"""The states of a delivery. A retry stays `pending`; sending again leads back from an end."""

from apps.core.states import StateMachine

from .models import DELIVERED, FAILED, PENDING, Delivery

DELIVERY_MACHINE = StateMachine(
    model=Delivery,
    transitions={
        PENDING: frozenset({DELIVERED, FAILED}),
        DELIVERED: frozenset({PENDING}),
        FAILED: frozenset({PENDING}),
    },
    audit_prefix="notices.delivery",
)
