"""Errors that more than one room raises. Each says in words what a person can do about it."""


class GovernanceError(Exception):
    """Base of every error that is an answer to the caller, not a defect of ours.

    `code` is stable and machine-readable (it becomes the problem type of the API); `retryable` says
    whether the same call may succeed later without anybody changing anything.
    """

    code = "error"
    retryable = False


class InvalidInput(GovernanceError):
    """The caller's input is wrong; `field` names the part, nothing was changed."""

    code = "invalid-input"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class KeyReused(InvalidInput):
    """An idempotency key came back with another request than the one it stands for."""

    code = "idempotency-key-reused"


class NotFound(GovernanceError):
    """No such object for this tenant; also said of another tenant's object."""

    code = "not-found"


class Refused(GovernanceError):
    """The actor's role or a rule of the house forbids it."""

    code = "refused"


class FourEyes(Refused):
    """Whoever asked for something may not decide on it."""

    code = "four-eyes"


class IllegalTransition(GovernanceError):
    """The state machine has no edge between the two states."""

    code = "illegal-transition"


class StaleState(GovernanceError):
    """Somebody else moved the object first; read it again and decide anew."""

    code = "stale-state"


class SumsDiffer(GovernanceError):
    """A sum is not what its rows add up to."""

    code = "sums-differ"


class TransientFailure(GovernanceError):
    """Something we depend on was away; trying again may help."""

    code = "try-again"
    retryable = True


class ContextOutsideTransaction(GovernanceError):
    """A query ran with a tenant context but outside a transaction: it would silently see zero rows."""

    code = "context-outside-transaction"
