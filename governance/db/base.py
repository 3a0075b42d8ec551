"""The engine: `"ENGINE": "governance.db"`."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from django.db.utils import DatabaseError
from timescale.db.backends.postgresql import base as timescale_base

from apps.core import context
from apps.core.errors import ContextOutsideTransaction

from .schema import GovernanceSchemaEditor


class DatabaseWrapper(timescale_base.DatabaseWrapper):
    """PostgreSQL with the tenant context applied when the outermost transaction begins."""

    SchemaEditorClass = GovernanceSchemaEditor
    _connecting = False

    def connect(self) -> None:
        # What Django asks of a new connection (its version, its settings) is nobody's data.
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def schema_editor(self, *args: Any, **kwargs: Any) -> GovernanceSchemaEditor:
        return self.SchemaEditorClass(self, *args, **kwargs)

    @property
    def has_timescaledb(self) -> bool:
        with self.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
            return cursor.fetchone() is not None

    def prepare_database(self) -> None:
        """Create the extension where the server offers it; the same schema stands without it."""
        with self.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
            if cursor.fetchone() is None or self.has_timescaledb:
                return
            try:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            except DatabaseError as error:
                # Not preloaded, or not this role's to create: cost_timeseries is then a plain table.
                print(f"TimescaleDB is installed but was not enabled: {str(error).splitlines()[0]}")  # noqa: T201

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        """Begin or end the outermost transaction; beginning one carries the tenant's context into it.

        A connection on which that fails is dropped. Django would keep it half begun: `atomic()` would from
        then on take it for inside a transaction that somebody else had opened, and this thread could never
        reach the database again ("Cannot open a new connection in an atomic block"), however long the server
        has been back.
        """
        try:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
            here = context.current()
            if not autocommit and self.alias == "default" and here.tenant_id is not None:
                context.apply(self, here)
        except BaseException:
            if not self.in_atomic_block:
                self.close()
            raise

    def cursor(self) -> Any:
        if (
            self.alias == "default"
            and not self._connecting
            and not self.in_atomic_block
            and (self.connection is None or self.autocommit)
            and context.current().tenant_id is not None
        ):
            raise ContextOutsideTransaction(
                "a query for a tenant outside a transaction would see no rows: use tenant_transaction()"
            )
        return PostgresWrapper.cursor(self)
