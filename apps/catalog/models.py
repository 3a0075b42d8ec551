"""Resources and policies: what there is, and what should hold of it."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Collate

from apps.core.db.access import APPEND_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import (
    BigSerialField,
    CurrentTransactionId,
    DatabaseForeignKey,
    TransactionIdField,
    TransactionNow,
)
from apps.core.ids import derived_key, new_id
from apps.core.models import TenantModel

from .models_discovery import DiscoveryScope, DiscoverySeen
from .models_frameworks import Control, Framework, PolicyControl, PolicyState

__all__ = [
    "PROVIDERS",
    "SEVERITIES",
    "Control",
    "DiscoveryScope",
    "DiscoverySeen",
    "Framework",
    "ImportRefusal",
    "ImportRun",
    "Policy",
    "PolicyControl",
    "PolicyState",
    "PolicyVersion",
    "Resource",
    "ResourceProperties",
    "policy_key",
    "resource_key",
]

PROVIDERS = ("azure", "aws", "gcp", "ibm")
SEVERITIES = ("low", "medium", "high", "critical")


def resource_key(tenant_id: object, provider: str, type_: str, native_id: str) -> str:
    """`resources.id`: of tenant, provider, type and the cloud's own id, so tenants can't squat on ids."""
    return derived_key("r", str(tenant_id), provider, type_, native_id)


def policy_key(tenant_id: object, language: str, provider_id: str) -> str:
    return derived_key("p", str(tenant_id), language, provider_id)


class Resource(TenantModel):
    """A cloud resource as last seen. Its own cloud id is `native_id`, which people see and search by."""

    id = models.TextField(primary_key=True)
    provider = models.TextField()
    type = models.TextField()
    name = models.TextField()
    group_name = models.TextField(null=True)
    location = models.TextField(null=True)
    tags = models.JSONField(db_default={})
    status = models.TextField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    updated_at = models.DateTimeField(db_default=TransactionNow())
    native_id = models.TextField(null=True)
    account = models.TextField(null=True)
    changed_xid = TransactionIdField(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        db_table = "resources"
        constraints = [
            one_of("provider", PROVIDERS, "resources_provider_check"),
            models.UniqueConstraint(fields=["tenant", "id"], name="resources_tenant_id_id_key"),
            models.UniqueConstraint(
                fields=["tenant", "provider", "type", "native_id"], name="resources_native_id_key"
            ),
        ]
        indexes = [
            models.Index("tenant", models.F("updated_at").desc(), name="resources_tenant_updated"),
            models.Index(fields=["tenant", "provider", "type"], name="resources_tenant_type"),
            GinIndex(fields=["tags"], name="resources_tags_gin"),
            models.Index(fields=["tenant", "type", "changed_xid"], name="resources_changed"),
            # What an incremental scan looks at, of whatever type.
            models.Index(fields=["tenant", "changed_xid"], name="resources_changed_any"),
            models.Index(
                "tenant", models.F("updated_at").desc(), models.F("id").desc(), name="resources_recent"
            ),
            # For search by prefix: see apps.core.filters.StartsWith.
            models.Index("tenant", Collate("name", "C"), name="resources_by_name"),
            models.Index("tenant", Collate("native_id", "C"), name="resources_by_native_id"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def display_id(self) -> str:
        return self.native_id or self.id


class ResourceProperties(TenantModel):
    """The cloud's own document of a resource, whole, apart from the narrow row that lists read."""

    resource = models.OneToOneField(
        Resource, on_delete=models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="document"
    )
    # The resource's, by which the documents of one type are found together; a trigger fills in what is left empty.
    type = models.TextField(db_default="")
    properties = models.JSONField(db_default={})
    changed_xid = TransactionIdField(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        db_table = "resource_properties"
        constraints = [tenant_reference("resource_properties_resource_fk", "resource_id", "catalog.Resource")]
        indexes = [
            models.Index(fields=["tenant", "changed_xid"], name="resource_properties_changed"),
            models.Index(fields=["tenant", "type"], name="resource_properties_type"),
        ]

    def __str__(self) -> str:
        return f"document of {self.resource_id}"


class Policy(TenantModel):
    """A rule with its parameters and scope. The provider's own id is in `metadata["provider_id"]`.

    status: active (scanned), draft, disabled, needs_parameters (a required parameter has no value),
    unsupported (refused, with reasons in `metadata["refusals"]`), invalid, external (a check of another tool,
    which nothing here judges).
    """

    id = models.TextField(primary_key=True)
    name = models.TextField()
    provider = models.TextField()
    type = models.TextField()
    effect = models.TextField(null=True)
    scope = models.TextField(null=True)
    status = models.TextField()
    metadata = models.JSONField(db_default={})
    created_at = models.DateTimeField(db_default=TransactionNow())
    updated_at = models.DateTimeField(db_default=TransactionNow())
    language = models.TextField(db_default="")
    severity = models.TextField(db_default="medium")
    parameters = models.JSONField(db_default={})
    current_version = models.IntegerField(db_default=0)
    changed_xid = TransactionIdField(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        db_table = "policies"
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="policies_tenant_id_id_key"),
            one_of("severity", SEVERITIES, "policies_severity_check"),
        ]
        indexes = [
            models.Index(fields=["tenant", "status"], name="policies_tenant_status"),
            models.Index("tenant", "name", "id", name="policies_by_name"),
        ]

    def __str__(self) -> str:
        return self.name


class PolicyVersion(TenantModel):
    """A policy's definition as it was imported, kept for ever: decisions refer to versions."""

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    policy = DatabaseForeignKey(Policy, "CASCADE", related_name="versions")
    number = models.IntegerField()
    definition = models.JSONField()
    sha256 = models.TextField()
    created_by = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "policy_versions"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "policy", "number"], name="policy_versions_number_key"),
            tenant_reference("policy_versions_policy_fk", "policy_id", "catalog.Policy"),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} v{self.number}"


class ImportRun(TenantModel):
    """One import of a file: how many rows were read, written, unchanged and refused."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.TextField()
    source = models.TextField()
    format = models.TextField(db_default="")
    status = models.TextField(db_default="running")
    rows_read = models.BigIntegerField(db_default=0)
    rows_written = models.BigIntegerField(db_default=0)
    rows_unchanged = models.BigIntegerField(db_default=0)
    rows_refused = models.BigIntegerField(db_default=0)
    summary = models.JSONField(db_default={})
    error = models.TextField(db_default="")
    job_id = models.UUIDField(null=True)
    started_at = models.DateTimeField(db_default=TransactionNow())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "import_runs"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="import_runs_tenant_id_id_key"),
            one_of("status", ("running", "succeeded", "failed", "cancelled"), "import_runs_status_check"),
        ]
        indexes = [models.Index("tenant", models.F("started_at").desc(), name="import_runs_recent")]

    def __str__(self) -> str:
        return self.source


class ImportRefusal(TenantModel):
    """A row that did not land: its line, the field and the reason."""

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = BigSerialField(primary_key=True)
    run = DatabaseForeignKey(ImportRun, "CASCADE", related_name="refusals")
    line = models.BigIntegerField(null=True)
    field = models.TextField(db_default="")
    reason = models.TextField()
    native_id = models.TextField(db_default="")

    class Meta:
        db_table = "import_refusals"
        constraints = [tenant_reference("import_refusals_run_fk", "run_id", "catalog.ImportRun")]
        indexes = [models.Index(fields=["tenant", "run", "id"], name="import_refusals_run")]

    def __str__(self) -> str:
        return self.reason
