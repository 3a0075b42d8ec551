from django.db import migrations, models

import apps.core.context
import apps.core.db.fields
import apps.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("audit", "0001_canonical_bytes"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Audit",
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
                ("actor", models.TextField()),
                ("action", models.TextField()),
                ("target_id", models.TextField(null=True)),
                ("target_type", models.TextField(null=True)),
                ("payload", models.JSONField(db_default={})),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("canonical", models.BinaryField(db_default=b"", editable=False)),
                ("leaf", models.BinaryField(db_default=b"", editable=False)),
            ],
            options={
                "db_table": "audits",
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        name="audits_tenant_created",
                    ),
                    models.Index(
                        models.F("tenant"),
                        models.F("target_type"),
                        models.F("target_id"),
                        name="audits_target",
                    ),
                ],
            },
        ),
    ]
