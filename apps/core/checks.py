"""Project rules as Django system checks: `manage.py check` names what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

OURS = "apps."


@register(Tags.models)
def tenant_tables_are_protected(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """core.E001: a table with a tenant must be a TenantModel; core.E002: every table declares its grants."""
    errors: list[CheckMessage] = []
    for model in apps.get_models():
        if not model.__module__.startswith(OURS) or not model._meta.managed:
            continue
        has_tenant = any(f.column == "tenant_id" for f in model._meta.local_concrete_fields)
        if has_tenant and not getattr(model, "_rls_policies", None):
            errors.append(
                Error(
                    f"{model._meta.label} has a tenant_id but no row-level security.",
                    hint="Inherit from apps.core.models.TenantModel.",
                    obj=model,
                    id="core.E001",
                )
            )
        if not hasattr(model, "app_privileges"):
            errors.append(
                Error(
                    f"{model._meta.label} does not say what the app role may do with it.",
                    hint="Set app_privileges to one of apps.core.db.access.",
                    obj=model,
                    id="core.E002",
                )
            )
    return errors


@register(Tags.database)
def row_level_security_is_in_force(databases: Sequence[str] | None, **kwargs: Any) -> list[CheckMessage]:
    """core.E003: a tenant table in the database without enabled and forced row-level security."""
    errors: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(
                """
                SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
                  AND a.attname = 'tenant_id' AND NOT a.attisdropped
                  AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
                """
            )
            errors += [
                Error(
                    f"Table {table} has a tenant_id but row-level security is not enabled and forced.",
                    hint="Run manage.py migrate as the owner role.",
                    id="core.E003",
                )
                for (table,) in cursor.fetchall()
            ]
    return errors
