"""Actions on the cloud and the events of their way through the states."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F

from apps.core.db.access import APPEND_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import BigSerialField, ContextTenant, DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel
from apps.tenancy.models import User

ACTION_STATES = ("queued", "preflight", "in_progress", "verifying", "completed", "failed", "rolled_back")


class Action(TenantModel):
    """A change of the cloud that somebody asked for."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    type = models.TextField()
    resource_id = models.TextField(null=True)
    requested_by = DatabaseForeignKey(
        User, "NO ACTION", null=True, related_name="+", db_column="requested_by"
    )
    status = models.TextField()
    params = models.JSONField(db_default={})
    result = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "actions"
        constraints = [
            one_of("status", ACTION_STATES, "actions_status_check"),
            models.UniqueConstraint(fields=["tenant", "id"], name="actions_tenant_id_id_key"),
            tenant_reference("actions_requested_by_fk", "requested_by", "tenancy.User", "NO ACTION"),
        ]
        indexes = [
            models.Index("tenant", "status", F("updated_at").desc(), name="actions_status_updated"),
            models.Index("tenant", F("updated_at").desc(), F("id").desc(), name="actions_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.status}"


class ActionEvent(TenantModel):
    """A line of an action's history. Its tenant is the context's unless given."""

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = BigSerialField(primary_key=True)
    tenant = DatabaseForeignKey("tenancy.Tenant", "CASCADE", related_name="+", db_default=ContextTenant())
    action = DatabaseForeignKey(Action, "CASCADE", related_name="events")
    ts = models.DateTimeField(db_default=TransactionNow())
    message = models.TextField()

    class Meta:
        db_table = "action_events"
        constraints = [tenant_reference("action_events_tenant_action_fk", "action_id", "actions.Action")]
        indexes = [models.Index(fields=["action", "ts"], name="action_events_action_ts")]

    def __str__(self) -> str:
        return self.message
