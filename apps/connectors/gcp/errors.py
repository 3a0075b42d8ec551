"""Exceptions of google-api-core, google-auth and requests in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..answers import away, error_for, retry_after_of
from ..credentials import missing_sdk
from ..errors import CloudDenied

try:
    import google.auth.exceptions
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
except ImportError as error:
    raise missing_sdk("Google Cloud", "gcp.txt", error) from error

# With 403 as well as with 429 (Compute Engine, Cloud Storage: "Usage limits").
# The SDK begins its messages with the request's method and URL.
_REQUEST = re.compile(r"^[A-Z]+ https?://\S+: ")
_THROTTLED = ("ratelimitexceeded", "userratelimitexceeded", "quotaexceeded", "rate_limit_exceeded")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """What is raised inside comes out as CloudError; `doing` completes "asked to …"."""
    try:
        yield
    except GoogleAPICallError as error:
        response = error.response
        reason = _reason(error)
        raise error_for(
            cloud="Google Cloud",
            doing=doing,
            status=int(error.code or 0) or 500,
            said=_REQUEST.sub("", str(error.message or "")),
            code=reason,
            retry_after=retry_after_of(getattr(response, "headers", None)),
            throttled=reason.lower() in _THROTTLED,
        ) from error
    except google.auth.exceptions.TransportError as error:
        raise away("Google Cloud", doing, str(error)) from error
    except google.auth.exceptions.GoogleAuthError as error:
        raise CloudDenied(
            f"Google Cloud gives no token for these credentials, asked to {doing}: {str(error)[:500]}",
            operation=doing,
        ) from error
    except (requests.exceptions.RequestException, RetryError) as error:
        raise away("Google Cloud", doing, str(error)) from error


def _reason(error: Any) -> str:
    """The reason in the error's details or its list of errors, else the status's name."""
    for item in error.errors or ():
        if isinstance(item, dict) and item.get("reason"):
            return str(item["reason"])
    return str(error.reason or "")
