from django.conf import settings
from django.db import migrations, models

import apps.core.context
import apps.core.db.constraints
import apps.core.db.fields
import apps.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenancy", "0001_initial"),
        ("tenancy", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Report",
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
                ("period_from", models.DateField()),
                ("period_to", models.DateField()),
                ("status", models.TextField(db_default="queued")),
                ("job_id", models.UUIDField(null=True)),
                ("object_key", models.TextField(db_default="")),
                ("version_id", models.TextField(db_default="")),
                ("sha256", models.TextField(db_default="")),
                ("size", models.BigIntegerField(null=True)),
                ("manifest", models.JSONField(db_default={})),
                ("error", models.TextField(db_default="")),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "requested_by",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_column="requested_by",
                        db_index=False,
                        db_on_delete="NO ACTION",
                        null=True,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "reports",
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="reports_recent",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["queued", "running", "succeeded", "failed", "cancelled"])
                        ),
                        name="reports_status_check",
                    ),
                    models.UniqueConstraint(fields=("tenant", "id"), name="reports_tenant_id_id_key"),
                    apps.core.db.constraints.CompositeForeignKey(
                        columns=("tenant_id", "requested_by"),
                        name="reports_requested_by_fk",
                        on_delete="NO ACTION",
                        to="tenancy.User",
                        to_columns=("tenant_id", "id"),
                    ),
                ],
            },
        ),
    ]
