"""Constraints that Django has no class for."""

from __future__ import annotations

from typing import Any

from django.apps import apps as global_apps
from django.db.models.constraints import BaseConstraint


class CompositeForeignKey(BaseConstraint):
    """(tenant_id, x_id) REFERENCES other (tenant_id, id): a row can't point at another tenant's row.

    PostgreSQL checks foreign keys past row-level security, so the plain key alone would accept a foreign
    tenant's id. It stands beside the plain key and mirrors its ON DELETE rule: `CASCADE`, `NO ACTION`, or
    `SET NULL (x_id)` which leaves the tenant in place (PostgreSQL 15+).
    `columns` and `to_columns` are column names; `to` is `app_label.Model`.
    """

    template = (
        "CONSTRAINT %(name)s FOREIGN KEY (%(columns)s) REFERENCES %(to_table)s (%(to_columns)s) "
        "ON DELETE %(on_delete)s"
    )

    def __init__(
        self, *, name: str, columns: tuple[str, ...], to: str, to_columns: tuple[str, ...], on_delete: str
    ) -> None:
        super().__init__(name=name)
        self.columns, self.to, self.to_columns, self.on_delete = (
            tuple(columns),
            to,
            tuple(to_columns),
            on_delete,
        )

    def _sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        registry = getattr(model._meta, "apps", global_apps)
        return self.template % {
            "name": quote(self.name),
            "columns": ", ".join(quote(c) for c in self.columns),
            "to_table": quote(registry.get_model(self.to)._meta.db_table),
            "to_columns": ", ".join(quote(c) for c in self.to_columns),
            "on_delete": self.on_delete,
        }

    def constraint_sql(self, model: Any, schema_editor: Any) -> None:  # type: ignore[override]
        # Written after the table, for the referenced table may be made later in the same migration.
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        return f"ALTER TABLE {schema_editor.quote_name(model._meta.db_table)} ADD {self._sql(model, schema_editor)}"

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = "default") -> None:
        """The database checks it; a form can't do better without a race."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompositeForeignKey) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash((self.name, self.columns, self.to))

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        path, _, _ = super().deconstruct()
        return (
            path,
            (),
            {
                "name": self.name,
                "columns": self.columns,
                "to": self.to,
                "to_columns": self.to_columns,
                "on_delete": self.on_delete,
            },
        )


def tenant_reference(name: str, column: str, to: str, on_delete: str = "CASCADE") -> CompositeForeignKey:
    """The composite key for `column` onto `to`'s unique (tenant_id, id)."""
    if on_delete == "SET NULL":
        on_delete = f"SET NULL ({column})"
    return CompositeForeignKey(
        name=name, columns=("tenant_id", column), to=to, to_columns=("tenant_id", "id"), on_delete=on_delete
    )
