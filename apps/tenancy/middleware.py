"""A request is one transaction of one tenant, rendering included.

The tenant is what the session cookie or the API token names; whether that claim is true is decided by the
rows found under it. Views marked `non_atomic` run outside and open short transactions of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, resolve

from apps.audit.services import record
from apps.core.context import Actor, Context, act_as, current, scope, tenant_transaction
from apps.core.ids import new_id

from .models import User
from .sessions import tenant_of_key
from .tokens import parse_token

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def claimed_tenant(request: HttpRequest) -> uuid.UUID | None:
    """The tenant that the request's credentials name, unproven."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        parts = parse_token(text.strip())
        return parts.tenant_id if parts else None
    return tenant_of_key(request.COOKIES.get(settings.SESSION_COOKIE_NAME))


class RequestTransactionMiddleware:
    """Outermost: enters the tenant's context and wraps everything below in a transaction, rendering included.

    A response of 500 or more rolls back. Refusals (403) of signed-in people are recorded afterwards, in a
    transaction of their own.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = request.headers.get("X-Request-Id", "")[:64] or str(new_id())
        with scope(Context(claimed_tenant(request), Actor("anonymous", "web"), request_id)):
            if self._is_non_atomic(request):
                response = self.get_response(request)
            else:
                with transaction.atomic():
                    response = self.get_response(request)
                    if response.status_code >= 500:
                        transaction.set_rollback(True)
            self._record_refusal(request, response)
        response["X-Request-Id"] = request_id
        return response

    @staticmethod
    def _is_non_atomic(request: HttpRequest) -> bool:
        try:
            view: Any = resolve(request.path_info).func
        except Resolver404:
            return False
        view = getattr(view, "view_class", getattr(view, "cls", view))
        return bool(getattr(view, "non_atomic", False))

    @staticmethod
    def _record_refusal(request: HttpRequest, response: HttpResponseBase) -> None:
        user = getattr(request, "principal", None)
        if response.status_code != 403 or user is None:
            return
        with tenant_transaction(user.tenant_id, Actor.user(user.pk)):
            record("tenancy.access.refused", None, {"path": request.path, "method": request.method})


class PrincipalMiddleware:
    """Below Django's authentication: proves the session's user once and acts as him for the rest."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with transaction.atomic(savepoint=False):
            user = request.user if current().tenant_id is not None else None
            signed_in = user is not None and user.is_authenticated
        if not signed_in or not isinstance(user, User):
            return self.get_response(request)
        request.principal = user  # type: ignore[attr-defined]
        with act_as(Actor.user(user.pk)):
            return self.get_response(request)
