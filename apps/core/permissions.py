"""The vocabulary of permissions. Every page, admin page, action and endpoint names one of them.

It stands in core so that rooms below tenancy can name what tenancy's gate then asks for.
"""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What somebody may do. The value is Django's permission string: `app_label.codename`."""

    VIEW = "governance.view"
    EXPORT = "governance.export"
    IMPORT = "governance.import"
    SCAN = "governance.scan"
    REQUEST = "governance.request"
    DECIDE = "governance.decide"
    MANAGE = "governance.manage"
