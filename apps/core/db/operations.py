"""Migration operations of our own."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.models import CreateModel


class CreateHypertable(Operation):
    """Turn a table into a TimescaleDB hypertable where the extension is there; elsewhere it stays plain.

    `column` is a date or timestamptz that belongs to the primary key; `interval` an SQL interval.
    """

    reversible = True
    reduces_to_sql = True
    elidable = False

    def __init__(self, model_name: str, column: str, interval: str) -> None:
        self.model_name, self.column, self.interval = model_name, column, interval

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The model's state is the same with and without the extension."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not schema_editor.connection.has_timescaledb:
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.execute(
            "SELECT create_hypertable(%s::regclass, %s::name, chunk_time_interval => %s::interval, "
            "create_default_indexes => false, if_not_exists => true, migrate_data => true)",
            [model._meta.db_table, self.column, self.interval],
        )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Dropping the table drops the hypertable."""

    def describe(self) -> str:
        return f"Create hypertable {self.model_name} by {self.column}"


class CreatePartitionedModel(CreateModel):
    """Create a model's table partitioned by ranges of `column`, a part of its primary key; it has no partition yet."""

    def __init__(self, name: str, fields: Any, column: str, options: Any = None) -> None:
        self.column = column
        super().__init__(name, fields, options)

    def deconstruct(self) -> Any:
        name, args, kwargs = super().deconstruct()
        return name, args, {**kwargs, "column": self.column}

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        plain, column = schema_editor.sql_create_table, schema_editor.quote_name(self.column)
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE ({column})"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            del schema_editor.sql_create_table

    def describe(self) -> str:
        return f"Create partitioned model {self.name} by {self.column}"


class SetSchemaVersion(Operation):
    """Insert the schema's semantic version (specification 3.6) as part of the migration that makes it."""

    reversible = True
    reduces_to_sql = True
    elidable = False

    def __init__(self, version: str) -> None:
        self.version = version

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Data, not state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute("INSERT INTO schema_version (version) VALUES (%s)", [self.version])

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute("DELETE FROM schema_version WHERE version = %s", [self.version])

    def describe(self) -> str:
        return f"Schema version {self.version}"
