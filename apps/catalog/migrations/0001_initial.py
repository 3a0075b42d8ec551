import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

import apps.core.context
import apps.core.db.constraints
import apps.core.db.fields
import apps.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Resource",
            fields=[
                ("id", models.TextField(primary_key=True, serialize=False)),
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
                ("provider", models.TextField()),
                ("type", models.TextField()),
                ("name", models.TextField()),
                ("group_name", models.TextField(null=True)),
                ("location", models.TextField(null=True)),
                ("tags", models.JSONField(db_default={})),
                ("status", models.TextField(null=True)),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("updated_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("native_id", models.TextField(null=True)),
                ("account", models.TextField(null=True)),
                (
                    "changed_xid",
                    apps.core.db.fields.TransactionIdField(
                        db_default=apps.core.db.fields.CurrentTransactionId(), editable=False
                    ),
                ),
            ],
            options={
                "db_table": "resources",
            },
        ),
        migrations.CreateModel(
            name="ImportRun",
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
                ("source", models.TextField()),
                ("format", models.TextField(db_default="")),
                ("status", models.TextField(db_default="running")),
                ("rows_read", models.BigIntegerField(db_default=0)),
                ("rows_written", models.BigIntegerField(db_default=0)),
                ("rows_unchanged", models.BigIntegerField(db_default=0)),
                ("rows_refused", models.BigIntegerField(db_default=0)),
                ("summary", models.JSONField(db_default={})),
                ("error", models.TextField(db_default="")),
                ("job_id", models.UUIDField(null=True)),
                ("started_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "import_runs",
            },
        ),
        migrations.CreateModel(
            name="ImportRefusal",
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
                ("line", models.BigIntegerField(null=True)),
                ("field", models.TextField(db_default="")),
                ("reason", models.TextField()),
                ("native_id", models.TextField(db_default="")),
                (
                    "run",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        related_name="refusals",
                        to="catalog.importrun",
                    ),
                ),
            ],
            options={
                "db_table": "import_refusals",
            },
        ),
        migrations.CreateModel(
            name="Policy",
            fields=[
                ("id", models.TextField(primary_key=True, serialize=False)),
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
                ("name", models.TextField()),
                ("provider", models.TextField()),
                ("type", models.TextField()),
                ("effect", models.TextField(null=True)),
                ("scope", models.TextField(null=True)),
                ("status", models.TextField()),
                ("metadata", models.JSONField(db_default={})),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("updated_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("language", models.TextField(db_default="")),
                ("severity", models.TextField(db_default="medium")),
                ("parameters", models.JSONField(db_default={})),
                ("current_version", models.IntegerField(db_default=0)),
                (
                    "changed_xid",
                    apps.core.db.fields.TransactionIdField(
                        db_default=apps.core.db.fields.CurrentTransactionId(), editable=False
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "policies",
                "db_table": "policies",
            },
        ),
        migrations.CreateModel(
            name="PolicyVersion",
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
                ("number", models.IntegerField()),
                ("definition", models.JSONField()),
                ("sha256", models.TextField()),
                ("created_by", models.TextField(db_default="")),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                (
                    "policy",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False, db_on_delete="CASCADE", related_name="versions", to="catalog.policy"
                    ),
                ),
            ],
            options={
                "db_table": "policy_versions",
            },
        ),
        migrations.CreateModel(
            name="ResourceProperties",
            fields=[
                (
                    "resource",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="document",
                        serialize=False,
                        to="catalog.resource",
                    ),
                ),
                ("properties", models.JSONField(db_default={})),
                (
                    "changed_xid",
                    apps.core.db.fields.TransactionIdField(
                        db_default=apps.core.db.fields.CurrentTransactionId(), editable=False
                    ),
                ),
            ],
            options={
                "db_table": "resource_properties",
            },
        ),
        migrations.AddIndex(
            model_name="importrun",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("started_at"), descending=True),
                name="import_runs_recent",
            ),
        ),
        migrations.AddConstraint(
            model_name="importrun",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="import_runs_tenant_id_id_key"),
        ),
        migrations.AddConstraint(
            model_name="importrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["running", "succeeded", "failed", "cancelled"])),
                name="import_runs_status_check",
            ),
        ),
        migrations.AddIndex(
            model_name="importrefusal",
            index=models.Index(fields=["tenant", "run", "id"], name="import_refusals_run"),
        ),
        migrations.AddConstraint(
            model_name="importrefusal",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "run_id"),
                name="import_refusals_run_fk",
                on_delete="CASCADE",
                to="catalog.ImportRun",
                to_columns=("tenant_id", "id"),
            ),
        ),
        migrations.AddIndex(
            model_name="policy",
            index=models.Index(fields=["tenant", "status"], name="policies_tenant_status"),
        ),
        migrations.AddIndex(
            model_name="policy",
            index=models.Index(models.F("tenant"), models.F("name"), models.F("id"), name="policies_by_name"),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="policies_tenant_id_id_key"),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(
                condition=models.Q(("severity__in", ["low", "medium", "high", "critical"])),
                name="policies_severity_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="policyversion",
            constraint=models.UniqueConstraint(
                fields=("tenant", "policy", "number"), name="policy_versions_number_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="policyversion",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "policy_id"),
                name="policy_versions_policy_fk",
                on_delete="CASCADE",
                to="catalog.Policy",
                to_columns=("tenant_id", "id"),
            ),
        ),
        migrations.AddField(
            model_name="resourceproperties",
            name="tenant",
            field=apps.core.db.fields.DatabaseForeignKey(
                db_index=False,
                db_on_delete="CASCADE",
                default=apps.core.context.default_tenant_id,
                editable=False,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="resource",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("updated_at"), descending=True),
                name="resources_tenant_updated",
            ),
        ),
        migrations.AddIndex(
            model_name="resource",
            index=models.Index(fields=["tenant", "provider", "type"], name="resources_tenant_type"),
        ),
        migrations.AddIndex(
            model_name="resource",
            index=django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="resources_tags_gin"),
        ),
        migrations.AddIndex(
            model_name="resource",
            index=models.Index(fields=["tenant", "type", "changed_xid"], name="resources_changed"),
        ),
        migrations.AddIndex(
            model_name="resource",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("updated_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="resources_recent",
            ),
        ),
        migrations.AddConstraint(
            model_name="resource",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider__in", ["azure", "aws", "gcp", "ibm"])),
                name="resources_provider_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="resource",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="resources_tenant_id_id_key"),
        ),
        migrations.AddConstraint(
            model_name="resource",
            constraint=models.UniqueConstraint(
                fields=("tenant", "provider", "type", "native_id"), name="resources_native_id_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="resourceproperties",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "resource_id"),
                name="resource_properties_resource_fk",
                on_delete="CASCADE",
                to="catalog.Resource",
                to_columns=("tenant_id", "id"),
            ),
        ),
    ]
