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
            name="Action",
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
                ("resource_id", models.TextField(null=True)),
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
                ("status", models.TextField()),
                ("params", models.JSONField(db_default={})),
                ("result", models.JSONField(null=True)),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("updated_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
            ],
            options={
                "db_table": "actions",
            },
        ),
        migrations.CreateModel(
            name="ActionEvent",
            fields=[
                ("id", apps.core.db.fields.BigSerialField(primary_key=True, serialize=False)),
                (
                    "action",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False, db_on_delete="CASCADE", related_name="events", to="actions.action"
                    ),
                ),
                ("ts", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("message", models.TextField()),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_default=apps.core.db.fields.ContextTenant(),
                        db_index=False,
                        db_on_delete="CASCADE",
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "db_table": "action_events",
            },
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                models.F("tenant"),
                models.F("status"),
                models.OrderBy(models.F("updated_at"), descending=True),
                name="actions_status_updated",
            ),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("updated_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="actions_recent",
            ),
        ),
        migrations.AddConstraint(
            model_name="action",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "queued",
                            "preflight",
                            "in_progress",
                            "verifying",
                            "completed",
                            "failed",
                            "rolled_back",
                        ],
                    )
                ),
                name="actions_status_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="action",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="actions_tenant_id_id_key"),
        ),
        migrations.AddConstraint(
            model_name="action",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "requested_by"),
                name="actions_requested_by_fk",
                on_delete="NO ACTION",
                to="tenancy.User",
                to_columns=("tenant_id", "id"),
            ),
        ),
        migrations.AddIndex(
            model_name="actionevent",
            index=models.Index(fields=["action", "ts"], name="action_events_action_ts"),
        ),
        migrations.AddConstraint(
            model_name="actionevent",
            constraint=apps.core.db.constraints.CompositeForeignKey(
                columns=("tenant_id", "action_id"),
                name="action_events_tenant_action_fk",
                on_delete="CASCADE",
                to="actions.Action",
                to_columns=("tenant_id", "id"),
            ),
        ),
    ]
