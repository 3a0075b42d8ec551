"""Errors of the API as RFC 9457 problem details."""

from __future__ import annotations

import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from .errors import GovernanceError, IllegalTransition, InvalidInput, KeyReused, NotFound, Refused, StaleState

MEDIA_TYPE = "application/problem+json"

# The first that matches counts: narrower ones stand first.
_STATUS: dict[type[GovernanceError], int] = {
    KeyReused: status.HTTP_422_UNPROCESSABLE_ENTITY,
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
    elif isinstance(error, RequestDataTooBig):
        response = _problem(413, "too-large", "The body is too large.", None)
    elif isinstance(error, SuspiciousOperation):  # e.g. more fields in a form than Django reads
        response = _problem(400, "bad-request", "The request is malformed.", None)
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
        response = _problem(400, "invalid-input", f"Wrong: {', '.join(map(str, errors))}.", errors)
    else:
        code = error.get_codes() if isinstance(error.get_codes(), str) else "error"
        response = _problem(error.status_code, str(code).replace("_", "-"), str(error.detail), None)
    if challenge := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        response["Retry-After"] = str(math.ceil(wait))
    return response


def _problem(code: int, kind: str, detail: str, errors: Any) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:governance:problem:{kind}",
        "title": kind.replace("-", " ").capitalize(),
    }
    body |= {"status": code, "detail": detail}
    if errors:
        body["errors"] = errors
    return Response(body, status=code, content_type=MEDIA_TYPE)


@csrf_exempt  # it changes nothing, and a page about cookies is no answer to a program
def no_such_endpoint(request: HttpRequest) -> JsonResponse:
    """The answer below the API's root where no endpoint is."""
    body = {"type": "urn:governance:problem:not-found", "title": "Not found", "status": 404}
    body |= {"detail": f"There is no endpoint {request.path}."}
    return JsonResponse(body, status=404, content_type=MEDIA_TYPE)
