"""The schema's version is kept in step with the migrations, and its SQL with both."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from apps.core.db.operations import SetSchemaVersion
from apps.core.schema_sql import schema_sql, schema_version

DOCS = Path(__file__).parents[2] / "docs" / "schema"


def ours(loader: MigrationLoader) -> list[tuple[str, str]]:
    return [key for key in loader.graph.leaf_nodes() if apps.get_app_config(key[0]).name.startswith("apps.")]


def test_the_latest_version_comes_after_every_migration() -> None:
    """A migration that is added needs a version of its own, set after it."""
    loader = MigrationLoader(None)
    version = schema_version(loader)
    (setter,) = [
        key
        for key, migration in loader.graph.nodes.items()
        if any(isinstance(o, SetSchemaVersion) and o.version == version for o in migration.operations)
    ]
    behind = set(loader.graph.forwards_plan(setter))
    assert [leaf for leaf in ours(loader) if leaf not in behind] == []


@pytest.mark.django_db
def test_the_documented_sql_is_what_the_migrations_do() -> None:
    if connection.has_timescaledb:
        pytest.skip("written without TimescaleDB")
    loader = MigrationLoader(None)
    documented = (DOCS / f"{schema_version(loader)}.sql").read_text()
    assert documented.strip() == schema_sql(loader).strip()
