"""The states of a cloud account. Only a connected one is read from and acted upon."""

from apps.core.states import StateMachine

from .models_clouds import CONNECTED, DISCONNECTED, UNPROVEN, CloudAccount

ACCOUNT_MACHINE = StateMachine(
    model=CloudAccount,
    transitions={
        UNPROVEN: frozenset({CONNECTED, DISCONNECTED}),
        CONNECTED: frozenset({UNPROVEN, DISCONNECTED}),
        DISCONNECTED: frozenset({UNPROVEN}),
    },
    audit_prefix="tenancy.cloud_account",
)
