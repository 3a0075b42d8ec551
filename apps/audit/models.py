"""The audit trail: append-only by grant, each row hashed as it is inserted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.db.access import Privileges
from apps.core.db.fields import TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel


class Audit(TenantModel):
    """Somebody did something. `actor` is `user:<uuid>`, `token:<uuid>` or `system:<component>`.

    A trigger computes `canonical` and `leaf` (RFC 6962: SHA-256 over 0x00 and the canonical bytes) as the row is
    inserted, whatever the statement says, and notes the inserting transaction in `xid`, a column that Python
    does not know, for the sealer. Later changes of the row, by whomever, leave them as they were.
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
    canonical = models.BinaryField(db_default=b"", editable=False)
    leaf = models.BinaryField(db_default=b"", editable=False)

    class Meta:
        db_table = "audits"
        indexes = [
            models.Index("tenant", models.F("created_at").desc(), name="audits_tenant_created"),
            models.Index("tenant", "target_type", "target_id", name="audits_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action}"
