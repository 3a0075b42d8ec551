"""Who may stop an action: who asked for it, who decides, and who manages."""

from __future__ import annotations

from apps.core.errors import Refused
from apps.core.permissions import Permission
from apps.tenancy.models import User

from .models import Action


def is_involved(user: User, action: Action) -> bool:
    return (
        action.requested_by_id == user.pk
        or user.has_perm(Permission.MANAGE)
        or user.has_perm(Permission.DECIDE)
    )


def refuse_unless_involved(user: User, action: Action) -> None:
    if not is_involved(user, action):
        raise Refused("Who asked for an action, an approver or an administrator may cancel it.")
