"""Frameworks, their controls, which policies serve which control, and what a policy's state was when.

All of it is the tenant's own, the starter frameworks too: what a tenant was held to is part of its record, and no
release of ours may change it behind its back (ADR 6). Nothing is deleted: things end by `retired_at` or `removed_at`,
so that the controls and mappings in force on a past day can be told.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.db.access import READ_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import BigSerialField, DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel

FRAMEWORK_SOURCES = ("library", "initiative", "file")
MAPPING_SOURCES = ("definition", "library", "file", "manual")
RETENTION_YEARS = (1, 2, 3)


class Framework(TenantModel):
    """A catalogue of controls. `retention_years` is the class that evidence for it is kept by."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.TextField()
    title = models.TextField()
    version = models.TextField(db_default="")
    publisher = models.TextField(db_default="")
    description = models.TextField(db_default="")
    source = models.TextField(db_default="file")
    retention_years = models.SmallIntegerField(db_default=1)
    created_at = models.DateTimeField(db_default=TransactionNow())
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "frameworks"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="frameworks_tenant_id_id_key"),
            models.UniqueConstraint(fields=["tenant", "key"], name="frameworks_key_key"),
            one_of("source", FRAMEWORK_SOURCES, "frameworks_source_check"),
            models.CheckConstraint(
                name="frameworks_retention_check", condition=Q(retention_years__in=list(RETENTION_YEARS))
            ),
        ]
        indexes = [models.Index("tenant", "title", "id", name="frameworks_by_title")]

    def __str__(self) -> str:
        return self.title


class Control(TenantModel):
    """A control, or a group of controls (`is_group`). `code` is an OSCAL-style id (`ac-2.1`), `label` the
    framework's own (`AC-2(1)`). `position` orders a framework's controls."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    framework = DatabaseForeignKey(Framework, "CASCADE", related_name="controls")
    code = models.TextField()
    label = models.TextField()
    title = models.TextField(db_default="")
    description = models.TextField(db_default="")
    is_group = models.BooleanField(db_default=False)
    parent = DatabaseForeignKey("self", "CASCADE", null=True, related_name="children")
    position = models.IntegerField(db_default=0)
    created_at = models.DateTimeField(db_default=TransactionNow())
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "controls"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="controls_tenant_id_id_key"),
            models.UniqueConstraint(fields=["tenant", "framework", "code"], name="controls_code_key"),
            tenant_reference("controls_framework_fk", "framework_id", "catalog.Framework"),
            tenant_reference("controls_parent_fk", "parent_id", "catalog.Control"),
        ]
        indexes = [
            models.Index(fields=["tenant", "framework", "position", "id"], name="controls_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.title}".strip()


class PolicyControl(TenantModel):
    """That a policy serves a control, from `added_at` until `removed_at`. `source` says who claims it.

    Only the end can be written afterwards, once, at the transaction's own time: a trigger sees to it.
    """

    app_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "INSERT", "UPDATE"), update_columns=("removed_at", "removed_by", "removal")
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    control = DatabaseForeignKey(Control, "CASCADE", related_name="mappings")
    policy = DatabaseForeignKey("catalog.Policy", "CASCADE", related_name="mappings")
    source = models.TextField(db_default="manual")
    added_at = models.DateTimeField(db_default=TransactionNow())
    added_by = models.TextField(db_default="")
    removed_at = models.DateTimeField(null=True)
    removed_by = models.TextField(db_default="")
    removal = models.TextField(db_default="")

    class Meta:
        db_table = "policy_controls"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="policy_controls_tenant_id_id_key"),
            models.UniqueConstraint(
                fields=["tenant", "control", "policy"],
                condition=Q(removed_at=None),
                name="policy_controls_in_force",
            ),
            one_of("source", MAPPING_SOURCES, "policy_controls_source_check"),
            tenant_reference("policy_controls_control_fk", "control_id", "catalog.Control"),
            tenant_reference("policy_controls_policy_fk", "policy_id", "catalog.Policy"),
        ]
        indexes = [models.Index(fields=["tenant", "policy"], name="policy_controls_policy")]

    def __str__(self) -> str:
        return f"{self.policy_id} serves {self.control_id}"


class PolicyState(TenantModel):
    """What a policy's status, severity and version were from `at` on; append-only, written by a trigger.

    `ruled_at` is since when the rule itself (status, version, parameters) is what it is: a scan that ended
    before has judged another rule.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY

    id = BigSerialField(primary_key=True)
    policy_id = models.TextField()
    status = models.TextField()
    severity = models.TextField()
    version = models.IntegerField()
    ruled_at = models.DateTimeField()
    at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "policy_states"
        indexes = [models.Index(fields=["tenant", "policy_id", "at", "id"], name="policy_states_of")]

    def __str__(self) -> str:
        return f"{self.policy_id} {self.status} {self.at}"
