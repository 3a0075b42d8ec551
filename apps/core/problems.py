"""Errors of the API as RFC 9457 problem details."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from .errors import GovernanceError, IllegalTransition, InvalidInput, NotFound, Refused, StaleState

_STATUS: dict[type[GovernanceError], int] = {
    InvalidInput: status.HTTP_400_BAD_REQUEST,
    NotFound: status.HTTP_404_NOT_FOUND,
    Refused: status.HTTP_403_FORBIDDEN,
    IllegalTransition: status.HTTP_409_CONFLICT,
    StaleState: status.HTTP_409_CONFLICT,
}


def status_of(error: GovernanceError) -> int:
    for kind, code in _STATUS.items():
        if isinstance(error, kind):
            return code
    return status.HTTP_503_SERVICE_UNAVAILABLE if error.retryable else status.HTTP_400_BAD_REQUEST


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: `application/problem+json` with type, title, status, detail and, for input, errors."""
    if isinstance(error, GovernanceError):
        response = _problem(status_of(error), error.code, str(error), _fields(error))
    elif isinstance(error, Http404):
        response = _problem(404, "not-found", "Not found.", None)
    elif isinstance(error, PermissionDenied):
        response = _problem(403, "refused", str(error) or "You may not do this.", None)
    elif isinstance(error, exceptions.APIException):
        response = _from_api_exception(error)
    else:
        return None
    set_rollback()
    return response


def _fields(error: GovernanceError) -> dict[str, list[str]] | None:
    field = getattr(error, "field", None)
    return {field: [str(error)]} if field else None


def _from_api_exception(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        errors = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        response = _problem(400, "invalid-input", "Some fields are wrong.", errors)
    else:
        code = error.get_codes() if isinstance(error.get_codes(), str) else "error"
        response = _problem(error.status_code, str(code).replace("_", "-"), str(error.detail), None)
    if challenge := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait))
    return response


def _problem(code: int, kind: str, detail: str, errors: Any) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:governance:problem:{kind}",
        "title": kind.replace("-", " ").capitalize(),
    }
    body |= {"status": code, "detail": detail}
    if errors:
        body["errors"] = errors
    return Response(body, status=code, content_type="application/problem+json")
