"""The schema as SQL, for people who read or review it without Django: `docs/schema/<version>.sql`."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.migrations.loader import MigrationLoader

from .db.operations import SetSchemaVersion

FRAMEWORK = ("admin", "auth", "contenttypes")


def schema_version(loader: MigrationLoader) -> str:
    """The highest version that a migration records."""
    versions = [
        operation.version
        for migration in loader.graph.nodes.values()
        for operation in (migration.operations if migration else [])
        if isinstance(operation, SetSchemaVersion)
    ]
    return max(versions, key=lambda v: tuple(int(part) for part in v.split(".")))


def schema_sql(loader: MigrationLoader) -> str:
    """The statements of our migrations in the order in which `migrate` runs them.

    Row-level security and grants are not in them: `apps.core.db.access` brings them about after every
    `migrate`, for the roles that the connection URLs name.
    """
    loader = MigrationLoader(None, replace_migrations=False)
    plan: list[Any] = []
    for target in sorted(loader.graph.leaf_nodes()):
        plan += [node for node in loader.graph.forwards_plan(target) if node not in plan]
    lines = [
        f"-- Schema version {schema_version(loader)}. Written by `manage.py schema sql`; do not edit.",
        "",
    ]
    state = loader.project_state([])
    for app, name in plan:
        migration = loader.graph.nodes[app, name]
        with connections["default"].schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            state = migration.apply(state, editor, collect_sql=True)
        if app not in FRAMEWORK:
            lines += [f"-- {app}.{name}", *(line for line in editor.collected_sql if line.strip()), ""]
    return "\n".join(lines)
