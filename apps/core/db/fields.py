"""Columns as the specification types them, where Django's own fields differ from its DDL."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db import models

ON_DELETE_ACTIONS = ("CASCADE", "SET NULL", "RESTRICT", "NO ACTION")


class TransactionNow(models.Func):
    """`now()`, the transaction's start, as the specification's defaults have it.

    Django's `Now()` is `statement_timestamp()` on PostgreSQL.
    """

    template = "now()"
    output_field = models.DateTimeField()


class DatabaseForeignKey(models.ForeignKey):
    """A foreign key whose ON DELETE rule lives in the database, not deferrable, as in the specification.

    Django itself does nothing on delete: the rule holds for raw SQL too. The schema editor of
    `governance.db` writes the rule from `db_on_delete`.
    """

    def __init__(self, to: Any, db_on_delete: str = "CASCADE", **kwargs: Any) -> None:
        if db_on_delete not in ON_DELETE_ACTIONS:
            raise ValueError(f"db_on_delete must be one of {ON_DELETE_ACTIONS}, not {db_on_delete!r}")
        self.db_on_delete = db_on_delete
        kwargs.setdefault("db_index", False)
        kwargs["on_delete"] = models.DO_NOTHING
        super().__init__(to, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("on_delete", None)
        kwargs["db_on_delete"] = self.db_on_delete
        # ForeignKey drops db_index when it is its own default (True); ours is False.
        kwargs["db_index"] = bool(getattr(self, "db_index", False))
        return name, path, args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        errors = super().check(**kwargs)
        if self.db_on_delete == "SET NULL" and not self.null:
            errors.append(checks.Error("db_on_delete='SET NULL' needs null=True.", obj=self, id="core.E010"))
        return errors


class NumericField(models.DecimalField):
    """Bare `numeric`: exact, of any precision; money and scores as the specification types them."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", None)
        kwargs.setdefault("decimal_places", None)
        super().__init__(**kwargs)

    def db_type(self, connection: Any) -> str:
        return "numeric"

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        # DecimalField demands both limits; numeric without limits is the point of this field.
        return [e for e in super().check(**kwargs) if e.id not in ("fields.E130", "fields.E132")]

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if hasattr(value, "resolve_expression") else self.to_python(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection)


class BigSerialField(models.BigAutoField):
    """`bigserial`: Django's BigAutoField makes an identity column, the specification names a sequence default."""

    def db_type(self, connection: Any) -> str:
        return "bigserial"

    def rel_db_type(self, connection: Any) -> str:
        return "bigint"

    def db_type_suffix(self, connection: Any) -> None:
        return None


class TransactionIdField(models.Field):
    """`xid8`: the transaction that last changed the row; the change watermark. Read-only for Python."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else str(value)


class ContextTenant(models.Func):
    """The context's tenant as a column default, for tables whose specified INSERT carries no tenant."""

    template = "NULLIF(current_setting('rls.tenant_id', true), '')::uuid"
    output_field = models.UUIDField()


class CurrentTransactionId(models.Func):
    """`pg_current_xact_id()` as a column default."""

    template = "pg_current_xact_id()"
    output_field = TransactionIdField()
