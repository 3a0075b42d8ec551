"""A discovery's own book-keeping: which scopes of an account are listed how far, and what was seen in them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.db.access import EVERYTHING, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel

PENDING, COMPLETE, FAILED = "pending", "complete", "failed"


class DiscoveryScope(TenantModel):
    """A type of resource in a region of an account, as one discovery lists it; empty texts mean all of them.

    `token` is where the listing goes on after a kill. Only a complete scope says that what was not seen is
    gone. The rows of an account's last discovery stay, to say what could not be read and why.
    """

    app_privileges: ClassVar[Privileges] = EVERYTHING

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = DatabaseForeignKey("tenancy.CloudAccount", "CASCADE", related_name="scopes")
    job_id = models.UUIDField()
    type = models.TextField()
    region = models.TextField()
    status = models.TextField(db_default=PENDING)
    token = models.TextField(null=True)
    pages = models.IntegerField(db_default=0)
    resources = models.BigIntegerField(db_default=0)
    gone = models.BigIntegerField(db_default=0)
    problem = models.TextField(db_default="")
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "discovery_scopes"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "job_id", "type", "region"], name="discovery_scopes_key"
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="discovery_scopes_tenant_id_id_key"),
            tenant_reference("discovery_scopes_account_fk", "account_id", "tenancy.CloudAccount"),
            one_of("status", (PENDING, COMPLETE, FAILED), "discovery_scopes_status_check"),
        ]

    def __str__(self) -> str:
        return f"{self.type or 'everything'} in {self.region or 'every region'}"


class DiscoverySeen(TenantModel):
    """A resource that a scope's listing has come by; taken away once the scope is complete."""

    app_privileges: ClassVar[Privileges] = EVERYTHING

    pk = models.CompositePrimaryKey("tenant_id", "scope_id", "resource_id")
    scope = DatabaseForeignKey(DiscoveryScope, "CASCADE", related_name="seen")
    resource_id = models.TextField()

    class Meta:
        db_table = "discovery_seen"
        constraints = [tenant_reference("discovery_seen_scope_fk", "scope_id", "catalog.DiscoveryScope")]

    def __str__(self) -> str:
        return self.resource_id
