import uuid

from django.db import migrations, models

import apps.core.context
import apps.core.db.fields
import apps.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_inserting_transaction"),
        ("tenancy", "0003_idempotency_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="PlatformCheckpoint",
            fields=[
                ("size", models.BigIntegerField(primary_key=True, serialize=False)),
                ("root", models.BinaryField()),
                ("peaks", models.BinaryField()),
                ("note", models.TextField()),
                ("object_key", models.TextField()),
                ("version_id", models.TextField(db_default="")),
                ("sealed_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("anchored_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "audit_platform_checkpoints",
            },
        ),
        migrations.CreateModel(
            name="AuditNode",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "level",
                        "position",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("level", models.SmallIntegerField()),
                ("position", models.BigIntegerField()),
                ("hash", models.BinaryField()),
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
                "db_table": "audit_nodes",
            },
        ),
        migrations.CreateModel(
            name="AuditChain",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("size", models.BigIntegerField(db_default=0)),
                ("peaks", models.BinaryField(db_default=b"")),
                ("read_xid", apps.core.db.fields.TransactionIdField(db_default="0")),
                ("read_id", models.UUIDField(db_default=uuid.UUID("00000000-0000-0000-0000-000000000000"))),
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
                "db_table": "audit_chains",
                "constraints": [models.UniqueConstraint(fields=("tenant",), name="audit_chains_tenant_key")],
            },
        ),
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "size", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField()),
                ("note", models.TextField()),
                ("object_key", models.TextField()),
                ("version_id", models.TextField(db_default="")),
                ("sealed_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("anchored_at", models.DateTimeField(null=True)),
                ("platform_size", models.BigIntegerField(null=True)),
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
                "db_table": "audit_checkpoints",
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        condition=models.Q(("platform_size__isnull", True)),
                        name="audit_checkpoints_unfinished",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditLeaf",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("seq", models.BigIntegerField()),
                ("audit_id", models.UUIDField()),
                ("leaf", models.BinaryField()),
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
                "db_table": "audit_leaves",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "audit_id"), name="audit_leaves_once")
                ],
            },
        ),
    ]
