"""What every page's frame needs to know of the person who looks at it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from .roles import Permission, Role


def desk(request: HttpRequest) -> dict[str, Any]:
    """`may`: {permission name in lower case: bool} of the signed-in user, for templates."""
    user = getattr(request, "user", None)
    role = getattr(user, "role", None)
    held = Role(role).permissions if role else frozenset()
    return {"may": {permission.name.lower(): permission in held for permission in Permission}}
