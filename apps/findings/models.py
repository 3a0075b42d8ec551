"""Violations and what became of them, recommendations, exceptions, and the runs that found them."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from apps.catalog.models import SEVERITIES, Policy, Resource
from apps.core.db.access import READ_INSERT_UPDATE, READ_ONLY, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import BigSerialField, DatabaseForeignKey, NumericField, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel
from apps.tenancy.models import User

from .expressions import closed_at, severity_rank
from .models_archive import OWN_SOURCE, ViolationColumns, ViolationHistory, ViolationRecord
from .models_history import ExceptionEvent, PolicyEvaluation, PostureDay
from .selectors import words_of_scope

__all__ = [
    "OWN_SOURCE",
    "EvaluationError",
    "ExceptionEvent",
    "PolicyEvaluation",
    "PolicyException",
    "PostureDay",
    "Recommendation",
    "ScanRun",
    "Violation",
    "ViolationColumns",
    "ViolationCounter",
    "ViolationEvent",
    "ViolationHistory",
    "ViolationRecord",
]

# Language and status of the policies that stand for other tools' checks.
EXTERNAL = "external"
VIOLATION_STATES = ("open", "suppressed", "fixed")
EXCEPTION_STATES = ("pending", "approved", "rejected", "expired")
RECOMMENDATION_STATES = ("open", "accepted", "dismissed", "gone")
RECOMMENDATION_KINDS = ("cost_optimization", "compliance", "security", "rightsizing")


class Violation(ViolationColumns):
    """A resource that breaks a policy: one current row for the two, re-opened in place.

    Triggers of the first migration write `violation_events` and `violation_counters` with every change of
    this table, whoever makes it. What has long been fixed moves to `ViolationHistory`: lists and whatever names
    one by its id read `ViolationRecord`, which is both.
    """

    policy = DatabaseForeignKey(Policy, "SET NULL", null=True, related_name="violations")
    resource = DatabaseForeignKey(Resource, "CASCADE", null=True, related_name="violations")
    status = models.TextField(db_default="open")
    severity_rank = models.GeneratedField(
        expression=severity_rank(), output_field=models.SmallIntegerField(), db_persist=True
    )
    suppressed_until = models.DateTimeField(null=True)
    exception_id = models.UUIDField(null=True)

    class Meta:
        db_table = "violations"
        constraints = [
            one_of("severity", SEVERITIES, "violations_severity_check"),
            one_of("status", VIOLATION_STATES, "violations_status_check"),
            models.UniqueConstraint(
                fields=["tenant", "policy", "resource"], name="violations_policy_resource_key"
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="violations_tenant_id_id_key"),
            tenant_reference("violations_tenant_policy_fk", "policy_id", "catalog.Policy", "SET NULL"),
            tenant_reference("violations_tenant_resource_fk", "resource_id", "catalog.Resource"),
        ]
        indexes = [
            models.Index(fields=["tenant", "status", "severity"], name="violations_status_severity"),
            models.Index(fields=["tenant", "resource"], name="violations_resource"),
            models.Index(
                "tenant",
                F("severity_rank").desc(),
                F("last_seen").desc(),
                F("id").desc(),
                name="violations_worst",
            ),
            models.Index(
                "tenant",
                "status",
                F("severity_rank").desc(),
                F("last_seen").desc(),
                F("id").desc(),
                name="violations_status_worst",
            ),
            models.Index("tenant", F("last_seen").desc(), F("id").desc(), name="violations_recent"),
            models.Index(
                fields=["tenant", "suppressed_until"],
                condition=Q(status="suppressed"),
                name="violations_lapsing",
            ),
            models.Index(
                fields=["tenant", "exception_id"],
                condition=Q(exception_id__isnull=False),
                name="violations_excepted",
            ),
            models.Index(
                "tenant",
                closed_at(),
                condition=Q(status="fixed"),
                name="violations_closed",
            ),
            # Of other tools there are few beside our own.
            models.Index(
                "tenant",
                "source",
                F("severity_rank").desc(),
                F("last_seen").desc(),
                F("id").desc(),
                condition=~Q(source=OWN_SOURCE),
                name="violations_foreign",
            ),
        ]

    def __str__(self) -> str:
        return self.reason


class ViolationEvent(TenantModel):
    """What happened to a violation, append-only, so that posture on any past day can be told.

    kind: opened, reopened, fixed, excepted, unexcepted, lapsed, changed, removed. `status` is the state that it
    left the violation in: open, suppressed (until `suppressed_until`), fixed or removed. `at` is when it was
    true: a term that is over by the clock is written down later, as `lapsed` at its own end; `recorded_at` says
    when. No foreign key to the violation: the event outlives it. Read it through `history`, never by itself.
    """

    app_privileges: ClassVar[Privileges] = READ_ONLY

    id = BigSerialField(primary_key=True)
    violation_id = models.UUIDField()
    policy_id = models.TextField(null=True)
    resource_id = models.TextField(null=True)
    severity = models.TextField()
    kind = models.TextField()
    at = models.DateTimeField(db_default=TransactionNow())
    status = models.TextField(db_default="")
    suppressed_until = models.DateTimeField(null=True)
    exception_id = models.UUIDField(null=True)
    recorded_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "violation_events"
        indexes = [
            models.Index(fields=["tenant", "violation_id", "id"], name="violation_events_of"),
            models.Index(fields=["tenant", "violation_id", "at", "id"], name="violation_events_of_at"),
            models.Index(fields=["tenant", "at"], name="violation_events_at"),
            # Lists as of a day: the latest first, without those that only ended something.
            models.Index(
                "tenant",
                F("at").desc(),
                F("id").desc(),
                condition=Q(status__in=["open", "suppressed"]),
                name="violation_events_standing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"


class ViolationCounter(TenantModel):
    """How many violations a policy has, by severity and stored status; written by the triggers alone."""

    app_privileges: ClassVar[Privileges] = READ_ONLY

    pk = models.CompositePrimaryKey("tenant_id", "policy_id", "severity", "status")
    policy_id = models.TextField(db_default="")
    severity = models.TextField()
    status = models.TextField()
    n = models.BigIntegerField(db_default=0)

    class Meta:
        db_table = "violation_counters"

    def __str__(self) -> str:
        return f"{self.policy_id} {self.severity} {self.status}: {self.n}"


class Recommendation(TenantModel):
    """Something worth doing. `kind` is one of four; the detector that made it is `rule`.

    `source` is the tool that said so, empty for our own; `key` is what it is about, so that it is said once.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.TextField()
    severity = models.TextField()
    title = models.TextField()
    description = models.TextField(null=True)
    savings = NumericField(null=True)
    # What they are put in order by: an ordering's columns are never null.
    savings_order = models.GeneratedField(
        expression=Coalesce("savings", Value(Decimal(0)), output_field=NumericField()),
        output_field=NumericField(),
        db_persist=True,
        editable=False,
    )
    risk_reduction = NumericField(null=True)
    confidence = NumericField(null=True)
    created_at = models.DateTimeField(db_default=TransactionNow())
    rule = models.TextField(db_default="")
    resource_id = models.TextField(null=True)
    source = models.TextField(db_default="")
    key = models.TextField(null=True)
    # open, accepted or dismissed by a person, gone where the detector no longer says so.
    status = models.TextField(db_default="open")
    # What decided: the values seen, the costs that were summed and over which days, what is assumed.
    evidence = models.JSONField(db_default={})
    currency = models.TextField(db_default="")
    # The kind of action that carries it out, empty where people have to.
    remedy = models.TextField(db_default="")
    decided_by = DatabaseForeignKey(User, "NO ACTION", null=True, related_name="+", db_column="decided_by")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(db_default="")
    # Since when the detector says so no more, and what the bills that followed say was saved, a month.
    gone_at = models.DateTimeField(null=True)
    realised = NumericField(null=True)
    realised_days = models.IntegerField(null=True)

    class Meta:
        db_table = "recommendations"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="recommendations_key"),
            one_of("status", RECOMMENDATION_STATES, "recommendations_status_check"),
        ]
        indexes = [
            models.Index(fields=["tenant", "kind", "severity"], name="recommendations_kind_severity"),
            models.Index("tenant", F("created_at").desc(), F("id").desc(), name="recommendations_recent"),
            models.Index(
                "tenant", F("savings_order").desc(), F("id").desc(), name="recommendations_by_saving"
            ),
            models.Index(
                fields=["tenant", "resource_id"],
                name="recommendations_resource",
                condition=models.Q(resource_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class PolicyException(TenantModel):
    """Leave to break a policy for a while: asked by one person, decided by another.

    A named constraint refuses `approved` without both, or with both the same; a trigger takes the decider
    from the transaction's context, so raw SQL can't name somebody else.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    policy = DatabaseForeignKey(Policy, "CASCADE", null=True, related_name="exceptions")
    resource = DatabaseForeignKey(Resource, "CASCADE", null=True, related_name="exceptions")
    reason = models.TextField()
    expires_at = models.DateTimeField(null=True)
    created_by = DatabaseForeignKey(User, "NO ACTION", null=True, related_name="+", db_column="created_by")
    status = models.TextField(db_default="approved")
    created_at = models.DateTimeField(db_default=TransactionNow())
    selector = models.JSONField(null=True)
    decided_by = DatabaseForeignKey(User, "NO ACTION", null=True, related_name="+", db_column="decided_by")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(db_default="")
    subject = models.JSONField(db_default={})
    subject_sha256 = models.TextField(db_default="")
    compensating_control = models.TextField(db_default="")
    # Whom it was asked and decided by, as they were then: {name, upn, email, role}, written by a trigger.
    requester = models.JSONField(db_default={})
    decider = models.JSONField(db_default={})
    # What was decided on, and its SHA-256.
    decision = models.JSONField(db_default={})
    decision_sha256 = models.TextField(db_default="")
    renews = DatabaseForeignKey("self", "NO ACTION", null=True, related_name="renewals", db_column="renews")
    renewal = models.IntegerField(db_default=0)
    # How many violations it took when it was approved, and since when it has had none left.
    covered = models.BigIntegerField(db_default=0)
    idle_since = models.DateTimeField(null=True)
    warned_days = models.IntegerField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = DatabaseForeignKey(User, "NO ACTION", null=True, related_name="+", db_column="ended_by")
    end_kind = models.TextField(db_default="")
    end_reason = models.TextField(db_default="")

    class Meta:
        db_table = "exceptions"
        verbose_name = "exception"
        constraints = [
            one_of("status", EXCEPTION_STATES, "exceptions_status_check"),
            models.CheckConstraint(
                name="exceptions_four_eyes",
                condition=~Q(status="approved")
                | (
                    Q(created_by__isnull=False) & Q(decided_by__isnull=False) & ~Q(created_by=F("decided_by"))
                ),
            ),
            models.CheckConstraint(
                name="exceptions_has_subject",
                condition=Q(policy__isnull=False) | Q(resource__isnull=False) | Q(selector__isnull=False),
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="exceptions_tenant_id_id_key"),
            tenant_reference("exceptions_tenant_policy_fk", "policy_id", "catalog.Policy"),
            tenant_reference("exceptions_tenant_resource_fk", "resource_id", "catalog.Resource"),
            tenant_reference("exceptions_created_by_fk", "created_by", "tenancy.User", "NO ACTION"),
            tenant_reference("exceptions_decided_by_fk", "decided_by", "tenancy.User", "NO ACTION"),
            tenant_reference("exceptions_ended_by_fk", "ended_by", "tenancy.User", "NO ACTION"),
            tenant_reference("exceptions_renews_fk", "renews", "findings.PolicyException", "NO ACTION"),
            one_of("end_kind", ("", "term", "revoked", "closed", "renewed"), "exceptions_end_kind_check"),
        ]
        indexes = [
            models.Index(fields=["tenant", "status", "expires_at"], name="exceptions_status_expiry"),
            models.Index("tenant", F("created_at").desc(), F("id").desc(), name="exceptions_recent"),
            models.Index(
                fields=["tenant", "renews"], condition=Q(renews__isnull=False), name="exceptions_renewals"
            ),
        ]

    def __str__(self) -> str:
        return self.reason

    @property
    def words(self) -> str:
        """What it is for, as people say it; reads policy and resource."""
        return words_of_scope(self.policy, self.resource, self.selector)


class ScanRun(TenantModel):
    """One pass of a scan over a tenant's estate, with its outcome and its counts.

    `policy_id` and `resource_id` name the one thing that it was about; both are NULL for a scan of everything.
    `population` is {provider: {type: resources}} at its end, without deleted ones.
    """

    app_privileges: ClassVar[Privileges] = READ_INSERT_UPDATE

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.TextField(db_default="policy")
    mode = models.TextField(db_default="full")
    status = models.TextField(db_default="running")
    job_id = models.UUIDField(null=True)
    policy_id = models.TextField(null=True)
    resource_id = models.TextField(null=True)
    policies = models.IntegerField(db_default=0)
    resources = models.BigIntegerField(db_default=0)
    opened = models.BigIntegerField(db_default=0)
    reopened = models.BigIntegerField(db_default=0)
    fixed = models.BigIntegerField(db_default=0)
    still_open = models.BigIntegerField(db_default=0)
    errors = models.BigIntegerField(db_default=0)
    error = models.TextField(db_default="")
    watermark = models.TextField(db_default="")
    population = models.JSONField(db_default={})
    started_at = models.DateTimeField(db_default=TransactionNow())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "scan_runs"
        constraints = [
            one_of("kind", ("policy", "finops", "security"), "scan_runs_kind_check"),
            one_of("mode", ("full", "incremental"), "scan_runs_mode_check"),
            one_of("status", ("running", "succeeded", "failed", "cancelled"), "scan_runs_status_check"),
            models.UniqueConstraint(fields=["tenant", "id"], name="scan_runs_tenant_id_id_key"),
        ]
        indexes = [models.Index("tenant", F("started_at").desc(), F("id").desc(), name="scan_runs_recent")]

    def __str__(self) -> str:
        return f"{self.kind} scan of {self.started_at}"


class EvaluationError(TenantModel):
    """A policy that could not be decided for some resources in a scan: how many, and one example."""

    id = BigSerialField(primary_key=True)
    scan = DatabaseForeignKey(ScanRun, "CASCADE", related_name="evaluation_errors")
    policy_id = models.TextField()
    resources = models.BigIntegerField(db_default=0)
    example_resource_id = models.TextField(null=True)
    message = models.TextField()

    class Meta:
        db_table = "evaluation_errors"
        constraints = [tenant_reference("evaluation_errors_scan_fk", "scan_id", "findings.ScanRun")]
        indexes = [models.Index(fields=["tenant", "scan", "id"], name="evaluation_errors_scan")]

    def __str__(self) -> str:
        return self.message
