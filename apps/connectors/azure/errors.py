"""azure-core's exceptions in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..answers import away, error_for, retry_after_of
from ..credentials import missing_sdk
from ..errors import CloudDenied, CloudError

try:
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
    )
except ImportError as error:
    raise missing_sdk("Azure", "azure.txt", error) from error


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """What is raised inside comes out as CloudError; `doing` completes "asked to …"."""
    try:
        yield
    except HttpResponseError as error:
        raise _of_answer(error, doing) from error
    except AzureError as error:
        raise away("Azure", doing, str(error.message)) from error


def _of_answer(error: HttpResponseError, doing: str) -> CloudError:
    code = str(getattr(error.error, "code", "") or "")
    said = str(getattr(error.error, "message", "") or error.reason or error.message or "")
    if error.response is None or error.status_code is None:
        if isinstance(error, ClientAuthenticationError):
            return CloudDenied(
                f"Azure gives no token for these credentials, asked to {doing}: {str(error.message)[:500]}",
                operation=doing,
            )
        return away("Azure", doing, str(error.message))
    return error_for(
        cloud="Azure",
        doing=doing,
        status=error.status_code,
        said=said,
        code=code,
        retry_after=retry_after_of(error.response.headers),
    )
