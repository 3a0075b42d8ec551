"""What went wrong, for a person: what happened, and whether trying again helps."""

from __future__ import annotations

from apps.connectors.errors import (
    CloudAway,
    CloudConflict,
    CloudDenied,
    CloudError,
    CloudGone,
    CloudInvalid,
    CloudThrottled,
    CloudUnsupported,
)

_HELP: dict[type[CloudError], str] = {
    CloudDenied: "Trying again helps only after the account's rights or credentials were mended.",
    CloudGone: "It is not there any more: trying again does not help.",
    CloudConflict: "Something else holds or changes it: trying again may help once that is over.",
    CloudInvalid: "The cloud holds the request to be wrong: trying again does not help.",
    CloudThrottled: "The cloud asks to slow down: it is tried again later.",
    CloudAway: "The cloud did not answer, and what was asked may have happened: it is tried again with the same key.",
    CloudUnsupported: "Trying again does not help until the connector is there.",
}


def words(error: Exception) -> str:
    """The error's own message and what can be done about it."""
    said = str(error).strip() or type(error).__name__
    said = said if said.endswith((".", "!", "?")) else f"{said}."
    for kind, help_ in _HELP.items():
        if isinstance(error, kind):
            return f"{said} {help_}"
    return said


def may_help(error: Exception) -> bool:
    """Whether a person's retry has a chance without anything else being done."""
    return bool(getattr(error, "retryable", False)) or isinstance(error, CloudConflict)
