"""The audit trail: append-only by grant, each row hashed as it is inserted."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from apps.core.db.access import NOTHING, READ_ONLY, Privileges
from apps.core.db.fields import TransactionIdField, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel


class Audit(TenantModel):
    """Somebody did something. `actor` is `user:<uuid>`, `token:<uuid>` or `system:<component>`.

    A trigger computes `canonical` and `leaf` (RFC 6962: SHA-256 over 0x00 and the canonical bytes) as the row is
    inserted, whatever the statement says, and notes the inserting transaction in `xid`, a column that Python
    does not know, for the sealer. Later changes of the row, by whomever, leave them as they were.
    """

    # Column-level: the app role inserts these and can never choose `xid`. No UPDATE, DELETE or TRUNCATE.
    app_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "INSERT"), column_level=True, select_also=("xid",)
    )
    # What was written is nothing to the sealer: it sees hashes.
    sealer_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT",), select_columns=("id", "tenant_id", "created_at", "leaf", "xid")
    )

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


class AuditChain(TenantModel):
    """How far a tenant's trail is sealed: the tree's size and right edge, and up to which row it was read.

    `peaks` are the roots of the tree's complete subtrees, 32 bytes each, largest first. Rows are read in the
    order of (inserting transaction, id); all up to (`read_xid`, `read_id`) are in the tree.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY
    sealer_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "INSERT", "UPDATE"), update_columns=("size", "peaks", "read_xid", "read_id")
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    size = models.BigIntegerField(db_default=0)
    peaks = models.BinaryField(db_default=b"")
    read_xid = TransactionIdField(db_default="0")
    read_id = models.UUIDField(db_default=uuid.UUID(int=0))

    class Meta:
        db_table = "audit_chains"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="audit_chains_tenant_key")]

    def __str__(self) -> str:
        return f"{self.size} sealed"


class AuditLeaf(TenantModel):
    """The place of an audit row in its tenant's tree: `seq` is dense, from 0. Outlives the row's archival."""

    app_privileges: ClassVar[Privileges] = READ_ONLY
    sealer_privileges: ClassVar[Privileges] = Privileges(("SELECT", "INSERT"))

    pk = models.CompositePrimaryKey("tenant_id", "seq")
    seq = models.BigIntegerField()
    audit_id = models.UUIDField()
    leaf = models.BinaryField()

    class Meta:
        db_table = "audit_leaves"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "audit_id"], name="audit_leaves_once"),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.audit_id}"


class AuditNode(TenantModel):
    """The root of a complete subtree of 2**level leaves, level 8, 16, 24 …: what proofs are built from."""

    app_privileges: ClassVar[Privileges] = READ_ONLY
    sealer_privileges: ClassVar[Privileges] = Privileges(("SELECT", "INSERT"))

    pk = models.CompositePrimaryKey("tenant_id", "level", "position")
    level = models.SmallIntegerField()
    position = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_nodes"

    def __str__(self) -> str:
        return f"{self.level}/{self.position}"


class AuditCheckpoint(TenantModel):
    """A signed checkpoint of a tenant's tree. It counts once the store has it (`anchored_at`).

    Written before that, so that whoever goes on after a kill puts the same bytes under the same key.
    `platform_size` is the platform's checkpoint that holds it.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY
    sealer_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "INSERT", "UPDATE"), update_columns=("version_id", "anchored_at", "platform_size")
    )

    pk = models.CompositePrimaryKey("tenant_id", "size")
    size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    object_key = models.TextField()
    version_id = models.TextField(db_default="")
    sealed_at = models.DateTimeField(db_default=TransactionNow())
    anchored_at = models.DateTimeField(null=True)
    platform_size = models.BigIntegerField(null=True)

    class Meta:
        db_table = "audit_checkpoints"
        indexes = [
            models.Index(
                "tenant", condition=models.Q(platform_size__isnull=True), name="audit_checkpoints_unfinished"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.size} leaves"


class PlatformCheckpoint(models.Model):
    """All tenants' checkpoints sealed together: a log whose entries name tenant, size and root.

    Not a tenant's, so no tenant sees it; everybody can check it in the store.
    """

    app_privileges: ClassVar[Privileges] = NOTHING
    sealer_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "INSERT", "UPDATE"), update_columns=("version_id", "anchored_at")
    )

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    peaks = models.BinaryField()
    note = models.TextField()
    object_key = models.TextField()
    version_id = models.TextField(db_default="")
    sealed_at = models.DateTimeField(db_default=TransactionNow())
    anchored_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_platform_checkpoints"

    def __str__(self) -> str:
        return f"{self.size} entries"


class AuditPurge(models.Model):
    """The certificate of a tenant's purge, or of what was left of it: written by the owner, sealed into the platform's
    log as an entry `purged` with the certificate's SHA-256.

    Not a tenant's: the tenant is gone, so its id is no foreign key. `certificate` is canonical JSON, `sha256` its hash.
    """

    app_privileges: ClassVar[Privileges] = NOTHING
    sealer_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "UPDATE"), update_columns=("platform_size",)
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    purged_id = models.UUIDField()
    size = models.BigIntegerField(db_default=0)
    certificate = models.TextField(db_default="")
    sha256 = models.TextField(db_default="")
    began_at = models.DateTimeField(db_default=TransactionNow())
    ended_at = models.DateTimeField(null=True)
    platform_size = models.BigIntegerField(null=True)

    class Meta:
        db_table = "audit_purges"
        indexes = [models.Index(fields=["purged_id", "began_at"], name="audit_purges_of")]

    def __str__(self) -> str:
        return f"{self.purged_id} {self.began_at}"
