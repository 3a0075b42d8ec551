"""Exceptions of ibm-cloud-sdk-core, requests and botocore (Object Storage) in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions

from ..answers import away, error_for, retry_after_of
from ..credentials import missing_sdk

try:
    import requests
    from ibm_cloud_sdk_core import ApiException
except ImportError as error:
    raise missing_sdk("IBM Cloud", "ibm.txt", error) from error

_THROTTLED = ("SlowDown", "TooManyRequests", "RequestLimitExceeded")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """What is raised inside comes out as CloudError; `doing` completes "asked to …"."""
    try:
        yield
    except ApiException as error:
        response = error.http_response
        raise error_for(
            cloud="IBM Cloud",
            doing=doing,
            status=int(error.status_code or 500),
            said=str(error.message or ""),
            code=_code(response),
            retry_after=retry_after_of(response.headers if response is not None else None),
        ) from error
    except botocore.exceptions.ClientError as error:
        told, answer = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        code = str(told.get("Code", ""))
        raise error_for(
            cloud="IBM Cloud",
            doing=doing,
            status=int(answer.get("HTTPStatusCode", 500)),
            said=str(told.get("Message", "")),
            code=code,
            retry_after=retry_after_of(answer.get("HTTPHeaders")),
            throttled=code in _THROTTLED,
        ) from error
    except (requests.exceptions.RequestException, botocore.exceptions.BotoCoreError) as error:
        raise away("IBM Cloud", doing, str(error)) from error


def _code(response: requests.Response | None) -> str:
    """The first error's code; the services write it in three places."""
    try:
        body = response.json() if response is not None else {}
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return str(first.get("code") or body.get("errorCode") or body.get("error_code") or body.get("code") or "")
