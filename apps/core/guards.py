"""Web and workers refuse to work as a role that row-level security does not bind."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import OperationalError

SQL = """
SELECT r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')
               AND c.relnamespace = current_schema()::regnamespace)
FROM pg_roles r WHERE r.rolname = current_user
"""


def refuse_strong_role() -> None:
    """Raise ImproperlyConfigured where DATABASE_URL's role is a superuser, has BYPASSRLS or owns a table.

    A server that is away is no reason to refuse: the check comes again with the readiness probe.
    """
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute(SQL)
            superuser, bypass, owner = cursor.fetchone()
    except OperationalError:
        return
    finally:
        connections["default"].close()
    for strong, why in ((superuser, "is a superuser"), (bypass, "has BYPASSRLS"), (owner, "owns tables")):
        if strong:
            raise ImproperlyConfigured(
                f"The role of DATABASE_URL {why}: row-level security would not bind it. Use the app role."
            )
