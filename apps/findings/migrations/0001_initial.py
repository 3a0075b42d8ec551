from django.conf import settings
from django.db import migrations, models

import apps.core.context
import apps.core.db.constraints
import apps.core.db.fields
import apps.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalog", "0001_initial"),
        ("tenancy", "0001_initial"),
        ("tenancy", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScanRun",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                ("kind", models.TextField(db_default="policy")),
                ("mode", models.TextField(db_default="full")),
                ("status", models.TextField(db_default="running")),
                ("job_id", models.UUIDField(null=True)),
                ("policies", models.IntegerField(db_default=0)),
                ("resources", models.BigIntegerField(db_default=0)),
                ("opened", models.BigIntegerField(db_default=0)),
                ("reopened", models.BigIntegerField(db_default=0)),
                ("fixed", models.BigIntegerField(db_default=0)),
                ("still_open", models.BigIntegerField(db_default=0)),
                ("errors", models.BigIntegerField(db_default=0)),
                ("error", models.TextField(db_default="")),
                ("watermark", models.TextField(db_default="")),
                ("started_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "scan_runs",
            },
        ),
        migrations.CreateModel(
            name="EvaluationError",
            fields=[
                ("id", apps.core.db.fields.BigSerialField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                ("policy_id", models.TextField()),
                ("resources", models.BigIntegerField(db_default=0)),
                ("example_resource_id", models.TextField(null=True)),
                ("message", models.TextField()),
                (
                    "scan",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        related_name="evaluation_errors",
                        to="findings.scanrun",
                    ),
                ),
            ],
            options={
                "db_table": "evaluation_errors",
            },
        ),
        migrations.CreateModel(
            name="Violation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "policy",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="SET NULL",
                        null=True,
                        related_name="violations",
                        to="catalog.policy",
                    ),
                ),
                (
                    "resource",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        null=True,
                        related_name="violations",
                        to="catalog.resource",
                    ),
                ),
                ("severity", models.TextField()),
                ("reason", models.TextField()),
                ("first_seen", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("last_seen", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("status", models.TextField(db_default="open")),
                (
                    "severity_rank",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(severity="low", then=models.Value(1)),
                            models.When(severity="medium", then=models.Value(2)),
                            models.When(severity="high", then=models.Value(3)),
                            models.When(severity="critical", then=models.Value(4)),
                            default=models.Value(0),
                            output_field=models.SmallIntegerField(),
                        ),
                        output_field=models.SmallIntegerField(),
                    ),
                ),
                ("suppressed_until", models.DateTimeField(null=True)),
                ("exception_id", models.UUIDField(null=True)),
                ("fixed_at", models.DateTimeField(null=True)),
                ("policy_version", models.IntegerField(null=True)),
                ("source", models.TextField(db_default="policy")),
            ],
            options={
                "db_table": "violations",
            },
        ),
        migrations.CreateModel(
            name="ViolationCounter",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "policy_id",
                        "severity",
                        "status",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                ("policy_id", models.TextField(db_default="")),
                ("severity", models.TextField()),
                ("status", models.TextField()),
                ("n", models.BigIntegerField(db_default=0)),
            ],
            options={
                "db_table": "violation_counters",
            },
        ),
        migrations.CreateModel(
            name="ViolationEvent",
            fields=[
                ("id", apps.core.db.fields.BigSerialField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                ("violation_id", models.UUIDField()),
                ("policy_id", models.TextField(null=True)),
                ("resource_id", models.TextField(null=True)),
                ("severity", models.TextField()),
                ("kind", models.TextField()),
                ("at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
            ],
            options={
                "db_table": "violation_events",
            },
        ),
        migrations.CreateModel(
            name="PolicyException",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "policy",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        null=True,
                        related_name="exceptions",
                        to="catalog.policy",
                    ),
                ),
                (
                    "resource",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        null=True,
                        related_name="exceptions",
                        to="catalog.resource",
                    ),
                ),
                ("reason", models.TextField()),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_column="created_by",
                        db_index=False,
                        db_on_delete="NO ACTION",
                        null=True,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("status", models.TextField(db_default="approved")),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("selector", models.JSONField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision_reason", models.TextField(db_default="")),
                ("subject", models.JSONField(db_default={})),
                ("subject_sha256", models.TextField(db_default="")),
                (
                    "decided_by",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_column="decided_by",
                        db_index=False,
                        db_on_delete="NO ACTION",
                        null=True,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "exceptions",
                "indexes": [
                    models.Index(fields=["tenant", "status", "expires_at"], name="exceptions_status_expiry"),
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="exceptions_recent",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["pending", "approved", "rejected", "expired"])),
                        name="exceptions_status_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "approved"), _negated=True),
                            models.Q(
                                ("created_by__isnull", False),
                                ("decided_by__isnull", False),
                                models.Q(("created_by", models.F("decided_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="exceptions_four_eyes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("policy__isnull", False),
                            ("resource__isnull", False),
                            ("selector__isnull", False),
                            _connector="OR",
                        ),
                        name="exceptions_has_subject",
                    ),
                    models.UniqueConstraint(fields=("tenant", "id"), name="exceptions_tenant_id_id_key"),
                    apps.core.db.constraints.CompositeForeignKey(
                        columns=("tenant_id", "policy_id"),
                        name="exceptions_tenant_policy_fk",
                        on_delete="CASCADE",
                        to="catalog.Policy",
                        to_columns=("tenant_id", "id"),
                    ),
                    apps.core.db.constraints.CompositeForeignKey(
                        columns=("tenant_id", "resource_id"),
                        name="exceptions_tenant_resource_fk",
                        on_delete="CASCADE",
                        to="catalog.Resource",
                        to_columns=("tenant_id", "id"),
                    ),
                    apps.core.db.constraints.CompositeForeignKey(
                        columns=("tenant_id", "created_by"),
                        name="exceptions_created_by_fk",
                        on_delete="NO ACTION",
                        to="tenancy.User",
                        to_columns=("tenant_id", "id"),
                    ),
                    apps.core.db.constraints.CompositeForeignKey(
                        columns=("tenant_id", "decided_by"),
                        name="exceptions_decided_by_fk",
                        on_delete="NO ACTION",
                        to="tenancy.User",
                        to_columns=("tenant_id", "id"),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Recommendation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                ("kind", models.TextField()),
                ("severity", models.TextField()),
                ("title", models.TextField()),
                ("description", models.TextField(null=True)),
                ("savings", apps.core.db.fields.NumericField(null=True)),
                ("risk_reduction", apps.core.db.fields.NumericField(null=True)),
                ("confidence", apps.core.db.fields.NumericField(null=True)),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("rule", models.TextField(db_default="")),
                ("resource_id", models.TextField(null=True)),
            ],
            options={
                "db_table": "recommendations",
                "indexes": [
                    models.Index(fields=["tenant", "kind", "severity"], name="recommendations_kind_severity"),
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="recommendations_recent",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="scanrun",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("started_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="scan_runs_recent",
            ),
        ),
        migrations.AddConstraint(
            model_name="scanrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["policy", "finops", "security"])),
                name="scan_runs_kind_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="scanrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("mode__in", ["full", "incremental"])), name="scan_runs_mode_check"
            ),
        ),
        migrations.AddConstraint(
            model_name="scanrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["running", "succeeded", "failed", "cancelled"])),
                name="scan_runs_status_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="scanrun",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="scan_runs_tenant_id_id_key"),
        ),
        migrations.AddIndex(
            model_name="evaluationerror",
            index=models.Index(fields=["tenant", "scan", "id"], name="evaluation_errors_scan"),
        ),
        migrations.AddConstraint(
            model_name="evaluationerror",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "scan_id"),
                name="evaluation_errors_scan_fk",
                on_delete="CASCADE",
                to="findings.ScanRun",
                to_columns=("tenant_id", "id"),
            ),
        ),
        migrations.AddIndex(
            model_name="violation",
            index=models.Index(fields=["tenant", "status", "severity"], name="violations_status_severity"),
        ),
        migrations.AddIndex(
            model_name="violation",
            index=models.Index(fields=["tenant", "resource"], name="violations_resource"),
        ),
        migrations.AddIndex(
            model_name="violation",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("severity_rank"), descending=True),
                models.OrderBy(models.F("last_seen"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="violations_worst",
            ),
        ),
        migrations.AddIndex(
            model_name="violation",
            index=models.Index(
                models.F("tenant"),
                models.F("status"),
                models.OrderBy(models.F("severity_rank"), descending=True),
                models.OrderBy(models.F("last_seen"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="violations_status_worst",
            ),
        ),
        migrations.AddIndex(
            model_name="violation",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("last_seen"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="violations_recent",
            ),
        ),
        migrations.AddIndex(
            model_name="violation",
            index=models.Index(
                condition=models.Q(("status", "suppressed")),
                fields=["tenant", "suppressed_until"],
                name="violations_lapsing",
            ),
        ),
        migrations.AddConstraint(
            model_name="violation",
            constraint=models.CheckConstraint(
                condition=models.Q(("severity__in", ["low", "medium", "high", "critical"])),
                name="violations_severity_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="violation",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "suppressed", "fixed"])),
                name="violations_status_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="violation",
            constraint=models.UniqueConstraint(
                fields=("tenant", "policy", "resource"), name="violations_policy_resource_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="violation",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="violations_tenant_id_id_key"),
        ),
        migrations.AddConstraint(
            model_name="violation",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "policy_id"),
                name="violations_tenant_policy_fk",
                on_delete="SET NULL (policy_id)",
                to="catalog.Policy",
                to_columns=("tenant_id", "id"),
            ),
        ),
        migrations.AddConstraint(
            model_name="violation",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "resource_id"),
                name="violations_tenant_resource_fk",
                on_delete="CASCADE",
                to="catalog.Resource",
                to_columns=("tenant_id", "id"),
            ),
        ),
        migrations.AddIndex(
            model_name="violationevent",
            index=models.Index(fields=["tenant", "violation_id", "id"], name="violation_events_of"),
        ),
        migrations.AddIndex(
            model_name="violationevent",
            index=models.Index(fields=["tenant", "at"], name="violation_events_at"),
        ),
    ]
