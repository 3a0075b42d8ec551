"""The base of every tenant table, and the schema's version. No business tables here."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models

from .context import default_tenant_id
from .db.access import READ_INSERT_UPDATE, READ_ONLY, Privileges, tenant_policies
from .db.fields import DatabaseForeignKey, TransactionNow
from .db.rls import RLSModel


class TenantModel(RLSModel):
    """A table whose rows belong to a tenant: row-level security enabled and forced, tenant from the context.

    `app_privileges` is all that the app role may do with the table; the default has no DELETE, for things
    end by their status.
    """

    app_privileges: ClassVar[Privileges] = READ_INSERT_UPDATE
    tenant_column: ClassVar[str] = "tenant_id"

    tenant = DatabaseForeignKey(
        "tenancy.Tenant", "CASCADE", related_name="+", default=default_tenant_id, editable=False
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True
        rls_policies = tenant_policies("tenant_id")


class SchemaVersion(models.Model):
    """Semantic version of the schema (specification 3.6); each migration that changes it inserts a row."""

    app_privileges: ClassVar[Privileges] = READ_ONLY

    version = models.TextField(primary_key=True)
    applied_at = models.DateTimeField(null=True, db_default=TransactionNow())

    class Meta:
        db_table = "schema_version"

    def __str__(self) -> str:
        return self.version
