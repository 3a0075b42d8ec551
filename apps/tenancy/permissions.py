"""The one gate of pages and API: a view names its permission per method, and this asks for it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import AccessMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .authentication import holds
from .roles import Permission

SAFE = ("GET", "HEAD", "OPTIONS")


def required_permission(view: Any, method: str) -> Permission:
    """`permission` for reading and `write_permission` for the rest; a view without either is a defect."""
    if method in SAFE:
        permission: Permission = view.permission
    else:
        permission = getattr(view, "write_permission", view.permission)
    return permission


class HasRolePermission(BasePermission):
    """DRF: the view's permission by role and, for a token, by scope."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return holds(request.user, request.auth, required_permission(view, request.method or "GET"))


class RoleRequiredMixin(AccessMixin):
    """Pages: signed-out people go to sign-in and come back, others without the permission get a 403."""

    permission: Permission = Permission.VIEW

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.handle_no_permission()
        if not request.user.has_perm(required_permission(self, request.method or "GET")):
            raise PermissionDenied("Your role does not allow this.")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response
