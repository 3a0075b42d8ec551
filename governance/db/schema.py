from typing import Any

from django_rls.backends.postgresql.base import RLSDatabaseSchemaEditor
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor


class GovernanceSchemaEditor(TimescaleSchemaEditor, RLSDatabaseSchemaEditor):
    """Both libraries' editors, and foreign keys with their ON DELETE rule in the database.

    The two libraries' backends do not combine by settings (hypertables were silently not made), hence this.
    """

    # Without an inline form, AddField goes through _create_fk_sql too.
    sql_create_column_inline_fk = None

    def _create_fk_sql(self, model: Any, field: Any, suffix: str) -> Any:
        statement = super()._create_fk_sql(model, field, suffix)
        rule = getattr(field, "db_on_delete", None)
        if rule:
            statement.template = statement.template.replace("%(deferrable)s", f" ON DELETE {rule}")
        return statement

    def _create_hypertable(self, model: Any, field: Any, should_migrate: bool = False) -> None:
        if self.connection.has_timescaledb:
            super()._create_hypertable(model, field, should_migrate)
