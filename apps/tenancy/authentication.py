"""Who is it? By tenant, upn and password in a browser; by token on the API."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from apps.core import context
from apps.core.context import Actor, current, tenant_scope

from .models import ApiToken, User
from .roles import Permission
from .tokens import parse_token, permissions_of, same_secret

LAST_USED_RESOLUTION_SECONDS = 60


class TenantBackend(BaseBackend):
    """Looks a user up in the tenant that was named; takes the same time whether or not there is one."""

    def authenticate(
        self,
        request: HttpRequest | None,
        tenant_id: uuid.UUID | None = None,
        upn: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> User | None:
        if upn is None or password is None:
            return None
        user = None
        if tenant_id is not None:
            with tenant_scope(tenant_id), transaction.atomic():
                user = User.objects.filter(upn=upn, is_active=True).first()
        if user is None:
            make_password(password)  # a stranger's tenant or name costs what a wrong password costs
            return None
        return user if check_password(password, user.password) else None

    def get_user(self, user_id: Any) -> User | None:
        if current().tenant_id is None:
            return None
        try:
            return User.objects.select_related("tenant").filter(pk=user_id, is_active=True).first()
        except (ValueError, TypeError):
            return None


class SessionAuthentication(authentication.SessionAuthentication):
    """DRF's, which asks for the CSRF token; a 401 rather than a 403 for somebody who is not signed in."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer gov_…`. The token acts as its user, within its scopes."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        parts = parse_token(text.strip())
        refused = exceptions.AuthenticationFailed("The token is not valid.")
        if parts is None or current().tenant_id != parts.tenant_id:
            raise refused
        with transaction.atomic(savepoint=False):
            token = ApiToken.objects.select_related("user", "user__tenant").filter(pk=parts.token_id).first()
            now = timezone.now()
            if token is None or not same_secret(parts.secret, token.secret_sha256):
                raise refused
            if token.revoked_at is not None or token.expires_at <= now or not token.user.is_active:
                raise refused
            last = token.last_used_at
            if last is None or (now - last).total_seconds() > LAST_USED_RESOLUTION_SECONDS:
                ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        context.become(Actor.token(token.pk, token.user_id))
        request._request.principal = token.user  # type: ignore[attr-defined]
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="governance"'


def holds(user: User | AnonymousUser, auth: Any, permission: Permission) -> bool:
    """Whether the role grants it and, for a token, its scopes do too."""
    if not user.is_authenticated or not user.has_perm(permission):
        return False
    return permission in permissions_of(auth.scopes) if isinstance(auth, ApiToken) else True
