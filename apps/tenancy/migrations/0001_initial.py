import django.contrib.postgres.fields
from django.conf import settings
from django.db import migrations, models

import apps.core.context
import apps.core.db.constraints
import apps.core.db.fields
import apps.core.ids
import apps.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.TextField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=apps.core.db.fields.TransactionNow(), editable=False),
                ),
                (
                    "slug",
                    models.TextField(
                        db_default=apps.tenancy.models.RandomSlug(),
                        help_text="Short name used at sign-in",
                        unique=True,
                    ),
                ),
                ("status", models.TextField(db_default="active")),
                ("settings", models.JSONField(blank=True, db_default={})),
            ],
            options={
                "db_table": "tenants",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["active", "suspended"])),
                        name="tenants_status_check",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="User",
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
                ("upn", models.TextField(verbose_name="user principal name")),
                (
                    "role",
                    models.TextField(
                        choices=[
                            ("viewer", "Viewer"),
                            ("operator", "Operator"),
                            ("approver", "Approver"),
                            ("admin", "Admin"),
                        ]
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=apps.core.db.fields.TransactionNow(), editable=False),
                ),
                ("password", models.TextField(db_default="!", editable=False)),
                ("last_login", models.DateTimeField(blank=True, editable=False, null=True)),
                ("display_name", models.TextField(blank=True, db_default="")),
                ("email", models.TextField(blank=True, db_default="")),
                ("is_active", models.BooleanField(db_default=True)),
            ],
            options={
                "db_table": "users",
                "ordering": ("upn",),
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("session_key", models.TextField(primary_key=True, serialize=False)),
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
                ("session_data", models.TextField()),
                ("expire_date", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                (
                    "user",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        null=True,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "sessions",
                "indexes": [models.Index(fields=["tenant", "expire_date"], name="sessions_expiry")],
                "constraints": [
                    apps.core.db.constraints.CompositeForeignKey(
                        columns=("tenant_id", "user_id"),
                        name="sessions_tenant_user_fk",
                        on_delete="CASCADE",
                        to="tenancy.User",
                        to_columns=("tenant_id", "id"),
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
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
                ("name", models.TextField()),
                ("secret_sha256", models.TextField(editable=False)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), default=list, size=None
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                (
                    "user",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "api_tokens",
                "constraints": [
                    apps.core.db.constraints.CompositeForeignKey(
                        columns=("tenant_id", "user_id"),
                        name="api_tokens_tenant_user_fk",
                        on_delete="CASCADE",
                        to="tenancy.User",
                        to_columns=("tenant_id", "id"),
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(fields=("tenant", "upn"), name="users_tenant_id_upn_key"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="users_tenant_id_id_key"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["viewer", "operator", "approver", "admin"])),
                name="users_role_check",
            ),
        ),
    ]
