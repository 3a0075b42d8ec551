"""The four roles as permissions. Every page, admin page, action and endpoint asks one of `Permission`."""

from __future__ import annotations

from enum import StrEnum

from apps.core.permissions import Permission

__all__ = ["Permission", "Role"]


class Role(StrEnum):
    """The specification's roles. Auditors are viewers; an admin manages and does not approve."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"

    @property
    def label(self) -> str:
        return self.value.capitalize()

    @property
    def permissions(self) -> frozenset[Permission]:
        return _PERMISSIONS[self]

    @property
    def uses_admin(self) -> bool:
        return self in (Role.APPROVER, Role.ADMIN)

    def grants(self, permission: str) -> bool:
        return permission in self.permissions


_READ = frozenset({Permission.VIEW, Permission.EXPORT})
_WORK = _READ | {Permission.IMPORT, Permission.SCAN, Permission.REQUEST}
_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _READ,
    Role.OPERATOR: _WORK,
    Role.APPROVER: _READ | {Permission.REQUEST, Permission.DECIDE},
    Role.ADMIN: _WORK | {Permission.MANAGE},
}
