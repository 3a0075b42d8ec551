from django.db import migrations, models

import apps.core.context
import apps.core.db.fields
from apps.core.db.operations import CreatePartitionedModel

# Rights and row-level security are the reader's.
VIEW = """
CREATE VIEW action_event_records WITH (security_invoker = true) AS
SELECT id, tenant_id, action_id, ts, message, NULL::timestamptz AS archived_at FROM action_events
UNION ALL
SELECT id, tenant_id, action_id, ts, message, archived_at FROM action_events_history;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("actions", "0003_guards"),
        ("tenancy", "0005_cloud_account_held"),
    ]

    operations = [
        migrations.CreateModel(
            name="ActionEventRecord",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("ts", models.DateTimeField()),
                ("message", models.TextField()),
                ("archived_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "action_event_records",
                "managed": False,
            },
        ),
        CreatePartitionedModel(
            name="ActionEventHistory",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", "ts", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.BigIntegerField()),
                ("action_id", models.UUIDField()),
                ("ts", models.DateTimeField()),
                ("message", models.TextField()),
                ("archived_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("segment_id", models.UUIDField()),
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
            ],
            options={
                "db_table": "action_events_history",
                "indexes": [
                    models.Index(fields=["tenant", "action_id", "ts"], name="action_events_history_of"),
                    models.Index(fields=["tenant", "segment_id"], name="action_events_history_batch"),
                ],
            },
            column="ts",
        ),
        migrations.AddIndex(
            model_name="actionevent",
            index=models.Index(fields=["tenant", "ts", "id"], name="action_events_oldest"),
        ),
        migrations.RunSQL(VIEW, "DROP VIEW action_event_records"),
    ]
