"""What a cloud's "no" means. Each error says in words what happened and whether trying again may help."""

from __future__ import annotations


class CloudError(Exception):
    """A cloud did not do what it was asked. `operation` is the API call, `code` the cloud's own error code.

    The message is for people: what was asked, what the cloud said, what can be done about it. It never holds
    a credential.
    """

    retryable = False

    def __init__(self, message: str, *, operation: str = "", code: str = "") -> None:
        super().__init__(message)
        self.operation, self.code = operation, code


class CloudDenied(CloudError):
    """The credentials are missing, expired, or not allowed to do this."""


class CloudGone(CloudError):
    """The thing that was asked about is not there (any more)."""


class CloudConflict(CloudError):
    """The thing is in a state that forbids it, or something else is changing it."""


class CloudInvalid(CloudError):
    """The cloud understood the call and holds it to be wrong: ours to mend."""


class CloudThrottled(CloudError):
    """Too many calls: later it will do. `retry_after` in seconds, where the cloud said so."""

    retryable = True

    def __init__(
        self, message: str, *, operation: str = "", code: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, operation=operation, code=code)
        self.retry_after = retry_after


class CloudAway(CloudError):
    """No answer, or a defect on the cloud's side. What was asked may or may not have happened."""

    retryable = True


class CloudUnsupported(CloudError):
    """The SDK for this cloud is not installed, or this cloud has no such call: the message says what to do."""
