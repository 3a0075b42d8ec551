"""The audit trail: append-only by grant, each row hashed as it is inserted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.db.access import Privileges
from apps.core.db.fields import TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel


class Canonical(models.Func):
    """The row's canonical bytes, by the database's own function (see the first migration)."""

    function = "audit_canonical"
    output_field = models.BinaryField()


class Leaf(models.Func):
    """RFC 6962 leaf hash: SHA-256 over 0x00 and the canonical bytes."""

    template = "sha256('\\x00'::bytea || %(expressions)s)"
    output_field = models.BinaryField()


_FIELDS = ("id", "tenant_id", "created_at", "actor", "action", "target_type", "target_id", "payload")


class Audit(TenantModel):
    """Somebody did something. `actor` is `user:<uuid>`, `token:<uuid>` or `system:<component>`.

    `canonical` and `leaf` are computed by PostgreSQL as the row is inserted, and a column `xid` (not known to
    Python, so the app role has no grant to fill it) keeps the inserting transaction for the sealer.
    """

    # Column-level: the app role inserts these and can never choose `xid`. No UPDATE, DELETE or TRUNCATE.
    app_privileges: ClassVar[Privileges] = Privileges(("SELECT", "INSERT"), column_level=True)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    actor = models.TextField()
    action = models.TextField()
    target_id = models.TextField(null=True)
    target_type = models.TextField(null=True)
    payload = models.JSONField(db_default={})
    created_at = models.DateTimeField(db_default=TransactionNow())
    canonical = models.GeneratedField(
        expression=Canonical(*_FIELDS), output_field=models.BinaryField(), db_persist=True
    )
    leaf = models.GeneratedField(
        expression=Leaf(Canonical(*_FIELDS)), output_field=models.BinaryField(), db_persist=True
    )

    class Meta:
        db_table = "audits"
        indexes = [
            models.Index("tenant", models.F("created_at").desc(), name="audits_tenant_created"),
            models.Index("tenant", "target_type", "target_id", name="audits_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action}"
