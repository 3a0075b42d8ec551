"""Actions on the cloud: what was asked, the sealed plan, who approved it, and the events of the way through the states.

What must hold whatever statement is used is held by triggers: see migration 0003.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.core.db.access import APPEND_ONLY, READ_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import CompositeForeignKey, tenant_reference
from apps.core.db.fields import BigSerialField, ContextTenant, DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel
from apps.tenancy.models import User

ACTION_STATES = ("queued", "preflight", "in_progress", "verifying", "completed", "failed", "rolled_back")
ENDED = ("completed", "failed", "rolled_back")
TARGET_STATES = (
    "planned", "left_out", "nothing", "applying", "applied", "verified",
    "failed", "rolling_back", "rolled_back", "cancelled",
)  # fmt: skip
DECISIONS = ("approved", "rejected")
OVER_LIMIT = ("refuse", "second_approver")
# How many resources one action may have, whatever a tenant's rules say.
MOST_TARGETS = 200


class RandomKey(models.Func):
    """A key of its own for whoever gives none."""

    template = "(gen_random_uuid())::text"
    output_field = models.TextField()


class Action(TenantModel):
    """A change of the cloud that somebody asked for, on one resource or on a set of them (`targets`).

    `plan` is what approvals are for: {type, params, targets: [{n, before, after, …}], blast, approvals, …};
    `plan_sha256` is of its canonical JSON. `params.requires_approval` is the server's: it is there exactly
    while the plan of this revision is sealed. `waits_for` says what an unfinished action waits for: nothing,
    `approval`, `cloud`, `store`. `result` is {manifest: [artifact, …]} and, at the end, {outcome, message,
    retryable}. `risk` is 1 to 3, the kind's. `job_id` is the one job that may move it on.
    """

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
    reason = models.TextField(db_default="")
    risk = models.SmallIntegerField(db_default=0)
    plan = models.JSONField(null=True)
    plan_sha256 = models.TextField(db_default="")
    plan_revision = models.IntegerField(db_default=0)
    approvals_needed = models.SmallIntegerField(db_default=1)
    reverses = DatabaseForeignKey("self", "NO ACTION", null=True, related_name="reversals")
    idempotency_key = models.TextField(db_default=RandomKey())
    job_id = models.UUIDField(null=True)
    attempts = models.IntegerField(db_default=0)
    waits_for = models.TextField(db_default="")
    cancel_requested = models.BooleanField(db_default=False)

    class Meta:
        db_table = "actions"
        constraints = [
            one_of("status", ACTION_STATES, "actions_status_check"),
            one_of("waits_for", ("", "approval", "cloud", "store"), "actions_waits_for_check"),
            models.CheckConstraint(
                name="actions_approvals_check", condition=Q(approvals_needed__range=(0, 2))
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="actions_tenant_id_id_key"),
            models.UniqueConstraint(fields=["tenant", "idempotency_key"], name="actions_idempotency_key"),
            # What approvals refer to: (tenant, action, who asked).
            models.UniqueConstraint(fields=["tenant", "id", "requested_by"], name="actions_requester_key"),
            tenant_reference("actions_requested_by_fk", "requested_by", "tenancy.User", "NO ACTION"),
            tenant_reference("actions_reverses_fk", "reverses_id", "actions.Action", "NO ACTION"),
        ]
        indexes = [
            models.Index("tenant", "status", F("updated_at").desc(), name="actions_status_updated"),
            models.Index("tenant", F("updated_at").desc(), F("id").desc(), name="actions_recent"),
            models.Index(
                fields=["tenant", "reverses"], condition=Q(reverses__isnull=False), name="actions_reversals"
            ),
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
        indexes = [
            models.Index(fields=["action", "ts"], name="action_events_action_ts"),
            models.Index(fields=["tenant", "ts", "id"], name="action_events_oldest"),
        ]

    def __str__(self) -> str:
        return self.message


class ActionEventHistory(TenantModel):
    """A line of an action that ended before the tenant's hot window began; partitioned by the quarter of `ts`.

    `archive_action_events` alone writes it; `segment_id` names the batch that it came with.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY

    pk = models.CompositePrimaryKey("tenant_id", "id", "ts")
    id = models.BigIntegerField()
    action_id = models.UUIDField()
    ts = models.DateTimeField()
    message = models.TextField()
    archived_at = models.DateTimeField(db_default=TransactionNow())
    segment_id = models.UUIDField()

    class Meta:
        db_table = "action_events_history"
        indexes = [
            models.Index(fields=["tenant", "action_id", "ts"], name="action_events_history_of"),
            models.Index(fields=["tenant", "segment_id"], name="action_events_history_batch"),
        ]

    def __str__(self) -> str:
        return self.message


class ActionEventRecord(TenantModel):
    """A line of an action's history, current or archived, as pages and the API read it; a view over both tables."""

    id = models.BigIntegerField(primary_key=True)
    action = DatabaseForeignKey(Action, "NO ACTION", related_name="event_records", db_constraint=False)
    ts = models.DateTimeField()
    message = models.TextField()
    archived_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "action_event_records"

    def __str__(self) -> str:
        return self.message


class ActionTarget(TenantModel):
    """How far an action is on one resource, so that a killed worker goes on where it was.

    What is to be done stands in the sealed plan under the same `ordinal`; here is only the progress. `key`
    goes to the cloud with the change and stays the same until the change is known to have been made or not.
    `receipt` and `undo_receipt` are {calls: [{operation, request, response}], made: {…}}, without secrets.
    The resource may be gone later: its id is a plain text.
    """

    id = BigSerialField(primary_key=True)
    action = DatabaseForeignKey(Action, "CASCADE", related_name="targets")
    ordinal = models.IntegerField()
    resource_id = models.TextField()
    name = models.TextField(db_default="")
    native_id = models.TextField(db_default="")
    violation_id = models.UUIDField(null=True)
    state = models.TextField(db_default="planned")
    note = models.TextField(db_default="")
    tries = models.IntegerField(db_default=0)
    looks = models.IntegerField(db_default=0)
    key = models.TextField(db_default="")
    change = models.JSONField(null=True)
    receipt = models.JSONField(null=True)
    undo_receipt = models.JSONField(null=True)
    live_after = models.JSONField(null=True)
    applied_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "action_targets"
        constraints = [
            one_of("state", TARGET_STATES, "action_targets_state_check"),
            models.UniqueConstraint(
                fields=["tenant", "action", "ordinal"], name="action_targets_ordinal_key"
            ),
            models.UniqueConstraint(
                fields=["tenant", "action", "resource_id"], name="action_targets_resource_key"
            ),
            tenant_reference("action_targets_action_fk", "action_id", "actions.Action"),
        ]
        indexes = [models.Index(fields=["tenant", "resource_id"], name="action_targets_resource")]

    def __str__(self) -> str:
        return f"{self.name} {self.state}"


class ActionApproval(TenantModel):
    """A decision on one revision of an action's plan, for good. Who decides is the context's person.

    It counts for the plan with just this revision and digest: a new plan needs new ones.
    """

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = DatabaseForeignKey(Action, "CASCADE", related_name="approvals")
    requested_by = DatabaseForeignKey(User, "NO ACTION", related_name="+", db_column="requested_by")
    decided_by = DatabaseForeignKey(User, "NO ACTION", related_name="+", db_column="decided_by")
    plan_revision = models.IntegerField()
    plan_sha256 = models.TextField()
    decision = models.TextField()
    reason = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "action_approvals"
        constraints = [
            one_of("decision", DECISIONS, "action_approvals_decision_check"),
            models.CheckConstraint(
                name="action_approvals_four_eyes", condition=~Q(requested_by=F("decided_by"))
            ),
            models.UniqueConstraint(
                fields=["tenant", "action", "plan_revision", "decided_by"], name="action_approvals_once"
            ),
            CompositeForeignKey(
                name="action_approvals_action_fk",
                columns=("tenant_id", "action_id", "requested_by"),
                to="actions.Action",
                to_columns=("tenant_id", "id", "requested_by"),
                on_delete="CASCADE",
            ),
            tenant_reference("action_approvals_decided_by_fk", "decided_by", "tenancy.User", "NO ACTION"),
        ]

    def __str__(self) -> str:
        return f"{self.decision} by {self.decided_by_id}"


class ActionRule(TenantModel):
    """How many approvals an action needs, and how many resources it may touch.

    `kind` is the action type that the rule is for; the rule with an empty one is for all others. Of the
    numbers that apply to an action the greatest counts; 0 means that nobody needs to approve. The defaults
    are the rule of a tenant that has none.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.TextField(db_default="")
    enabled = models.BooleanField(db_default=True)
    approvals = models.SmallIntegerField(db_default=1)
    risky_approvals = models.SmallIntegerField(db_default=2)
    severe_from = models.TextField(db_default="")
    severe_approvals = models.SmallIntegerField(db_default=2)
    many_from = models.IntegerField(db_default=10)
    many_approvals = models.SmallIntegerField(db_default=2)
    environment_tags = ArrayField(models.TextField(), db_default=["environment", "env", "stage"])
    production_values = ArrayField(models.TextField(), db_default=["production", "prod", "prd", "live"])
    production_approvals = models.SmallIntegerField(db_default=2)
    blast_limit = models.IntegerField(db_default=25)
    over_limit = models.TextField(db_default="refuse")
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "action_rules"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind"], name="action_rules_kind_key"),
            models.UniqueConstraint(fields=["tenant", "id"], name="action_rules_tenant_id_id_key"),
            one_of("over_limit", OVER_LIMIT, "action_rules_over_limit_check"),
            one_of("severe_from", ("", "low", "medium", "high", "critical"), "action_rules_severe_check"),
            models.CheckConstraint(
                name="action_rules_approvals_check",
                condition=Q(approvals__range=(0, 2))
                & Q(risky_approvals__range=(0, 2))
                & Q(severe_approvals__range=(0, 2))
                & Q(many_approvals__range=(0, 2))
                & Q(production_approvals__range=(0, 2)),
            ),
            models.CheckConstraint(
                name="action_rules_numbers_check",
                condition=Q(many_from__gte=1) & Q(blast_limit__range=(1, MOST_TARGETS)),
            ),
        ]

    def __str__(self) -> str:
        return self.kind or "every other kind"
