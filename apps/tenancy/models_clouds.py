"""Cloud accounts: which accounts of which clouds are a tenant's, and where their credentials are to be found.

No secret is stored: a reference is a name (`environment:NORTHWIND`, `file:/run/secrets/x.json`,
`assume_role:arn:aws:iam::111122223333:role/desk`, `workload_identity:web`). The references that a tenant may use
are the platform's to list, in a table that the app role only reads.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.db.access import READ_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel

PROVIDERS = ("azure", "aws", "gcp", "ibm")
CREDENTIAL_KINDS = ("environment", "file", "assume_role", "workload_identity")
LISTINGS = ("describe", "config", "explorer")
UNPROVEN, CONNECTED, DISCONNECTED = "unproven", "connected", "disconnected"
ACCOUNT_STATES = (UNPROVEN, CONNECTED, DISCONNECTED)


class CloudCredential(TenantModel):
    """A credential reference that a tenant may use: written by the platform (the owner role) alone.

    `pattern` is what may follow the kind's name: in an assume_role ARN a `*` stands for the account's number.
    `endpoint_url` sends the SDK elsewhere (an emulator, a private endpoint); `source` is the reference of the
    credentials that assume a role, empty for the platform's own.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.TextField()
    kind = models.TextField()
    pattern = models.TextField()
    endpoint_url = models.TextField(db_default="")
    source = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "cloud_credentials"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "kind", "pattern"], name="cloud_credentials_reference_key"
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="cloud_credentials_tenant_id_id_key"),
            one_of("provider", PROVIDERS, "cloud_credentials_provider_check"),
            one_of("kind", CREDENTIAL_KINDS, "cloud_credentials_kind_check"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.pattern}"


class CloudAccount(TenantModel):
    """An account of a cloud that a tenant has connected.

    `account` is the cloud's own id: AWS account, Azure subscription, GCP project, IBM account. Only a connected
    one is proven to be the tenant's, and only one tenant can have it connected. `problem` says in words why
    there is no data, or no fresh data; empty where all is well. `last_result` is the last discovery's counts.
    """

    app_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "INSERT", "UPDATE"),
        update_columns=(
            "name", "status", "credential_id", "reference", "regions", "listing", "discover_every_minutes", "proven_at",
            "tested_at", "discovered_at", "discovery_due_at", "discovery_job_id", "last_result", "problem",
            "problem_code", "updated_at",
        ),
    )  # fmt: skip

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.TextField()
    account = models.TextField()
    name = models.TextField(db_default="")
    status = models.TextField(db_default=UNPROVEN)
    credential = DatabaseForeignKey(CloudCredential, "NO ACTION", related_name="accounts")
    reference = models.TextField()
    external_id = models.TextField(editable=False)
    regions = ArrayField(models.TextField(), db_default=[])
    # How an AWS account is listed: by each service's calls, by AWS Config, or by Resource Explorer as well.
    listing = models.TextField(db_default=LISTINGS[0])
    discover_every_minutes = models.IntegerField(null=True)
    proven_at = models.DateTimeField(null=True)
    tested_at = models.DateTimeField(null=True)
    discovered_at = models.DateTimeField(null=True)
    discovery_due_at = models.DateTimeField(null=True)
    discovery_job_id = models.UUIDField(null=True)
    last_result = models.JSONField(db_default={})
    problem = models.TextField(db_default="")
    problem_code = models.TextField(db_default="")
    created_by = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "cloud_accounts"
        verbose_name = "cloud account"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "account"], name="cloud_accounts_account_key"
            ),
            # A live account is one tenant's, of all tenants: it holds past row-level security.
            models.UniqueConstraint(
                fields=["provider", "account"],
                condition=models.Q(status=CONNECTED),
                name="cloud_accounts_live_key",
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="cloud_accounts_tenant_id_id_key"),
            tenant_reference(
                "cloud_accounts_credential_fk", "credential_id", "tenancy.CloudCredential", "NO ACTION"
            ),
            one_of("provider", PROVIDERS, "cloud_accounts_provider_check"),
            one_of("status", ACCOUNT_STATES, "cloud_accounts_status_check"),
            one_of("listing", LISTINGS, "cloud_accounts_listing_check"),
        ]
        indexes = [
            models.Index("tenant", "provider", "account", "id", name="cloud_accounts_by_account"),
            models.Index(
                fields=["tenant", "discovery_due_at"],
                condition=models.Q(status=CONNECTED),
                name="cloud_accounts_due",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.provider} {self.account}"

    @property
    def credential_kind(self) -> str:
        return self.reference.partition(":")[0]

    @property
    def credential_value(self) -> str:
        return self.reference.partition(":")[2]
