from django.db import migrations, models

import apps.core.context
import apps.core.db.fields
import apps.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Job",
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
                ("type", models.TextField()),
                ("queue", models.TextField()),
                ("params", models.JSONField(db_default={})),
                ("idempotency_key", models.TextField()),
                ("status", models.TextField(db_default="queued")),
                ("attempts", models.IntegerField(db_default=0)),
                ("max_attempts", models.IntegerField(db_default=5)),
                ("not_before", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("sent_at", models.DateTimeField(null=True)),
                ("lease_token", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("cancel_requested", models.BooleanField(db_default=False)),
                ("progress_done", models.BigIntegerField(db_default=0)),
                ("progress_total", models.BigIntegerField(null=True)),
                ("progress_note", models.TextField(db_default="")),
                ("result", models.JSONField(null=True)),
                ("error", models.TextField(db_default="")),
                ("created_by", models.TextField(db_default="")),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "jobs",
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="jobs_recent",
                    ),
                    models.Index(
                        models.F("not_before"),
                        condition=models.Q(("status__in", ["queued", "running"])),
                        name="jobs_unfinished",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["queued", "running", "succeeded", "failed", "cancelled"])
                        ),
                        name="jobs_status_check",
                    ),
                    models.UniqueConstraint(
                        fields=("tenant", "idempotency_key"), name="jobs_idempotency_key"
                    ),
                    models.UniqueConstraint(fields=("tenant", "id"), name="jobs_tenant_id_id_key"),
                ],
            },
        ),
    ]
