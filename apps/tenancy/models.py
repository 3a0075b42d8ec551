"""Tenants, their users, sessions and API tokens."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.db.access import EVERYTHING, Privileges, tenant_policies
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import DatabaseForeignKey, TransactionNow
from apps.core.db.rls import RLSModel
from apps.core.ids import new_id
from apps.core.models import TenantModel

from .models_clouds import CloudAccount, CloudCredential
from .roles import Role

__all__ = ["ApiToken", "CloudAccount", "CloudCredential", "IdempotencyKey", "Session", "Tenant", "User"]


class RandomSlug(models.Func):
    template = "('t-' || replace((gen_random_uuid())::text, '-', ''))"
    output_field = models.TextField()


class Tenant(RLSModel):
    """A customer's estate. Made and purged by the owner role; a tenant sees only its own row."""

    app_privileges: ClassVar[Privileges] = Privileges(
        ("SELECT", "UPDATE"), update_columns=("name", "settings")
    )
    sealer_privileges: ClassVar[Privileges] = Privileges(("SELECT",), select_columns=("id",))
    tenant_column: ClassVar[str] = "id"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.TextField()
    created_at = models.DateTimeField(db_default=TransactionNow(), editable=False)
    slug = models.TextField(unique=True, db_default=RandomSlug(), help_text="Short name used at sign-in")
    status = models.TextField(db_default="active")
    settings = models.JSONField(db_default={}, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        db_table = "tenants"
        rls_policies = tenant_policies("id")
        constraints = [one_of("status", ("active", "suspended", "purging"), "tenants_status_check")]

    def __str__(self) -> str:
        return self.name


class User(TenantModel, AbstractBaseUser):
    """A person of one tenant. The same upn may exist in another tenant as another person."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    upn = models.TextField("user principal name")
    role = models.TextField(choices=[(r.value, r.label) for r in Role])
    created_at = models.DateTimeField(db_default=TransactionNow(), editable=False)
    password = models.TextField(db_default="!", editable=False)
    last_login = models.DateTimeField(null=True, blank=True, editable=False)
    display_name = models.TextField(db_default="", blank=True)
    email = models.TextField(db_default="", blank=True)
    is_active = models.BooleanField(db_default=True)

    USERNAME_FIELD = "upn"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        ordering = ("upn",)
        constraints = [
            models.UniqueConstraint(fields=["tenant", "upn"], name="users_tenant_id_upn_key"),
            models.UniqueConstraint(fields=["tenant", "id"], name="users_tenant_id_id_key"),
            one_of("role", [r.value for r in Role], "users_role_check"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.upn

    def get_full_name(self) -> str:
        return str(self)

    @property
    def is_staff(self) -> bool:
        """Whoever decides or administers works in the admin; `AdminSite` asks for this name."""
        return self.is_active and Role(self.role).uses_admin

    @property
    def is_superuser(self) -> bool:
        return False

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_active and Role(self.role).grants(perm)

    def has_perms(self, perms: list[str], obj: Any = None) -> bool:
        return all(self.has_perm(p, obj) for p in perms)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_staff


class Session(TenantModel):
    """A browser's session. The cookie begins with the tenant's id, so the row is found under its policy."""

    app_privileges: ClassVar[Privileges] = EVERYTHING

    session_key = models.TextField(primary_key=True)
    session_data = models.TextField()
    expire_date = models.DateTimeField()
    user = DatabaseForeignKey(User, "CASCADE", null=True, related_name="+")
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "sessions"
        indexes = [models.Index(fields=["tenant", "expire_date"], name="sessions_expiry")]
        constraints = [tenant_reference("sessions_tenant_user_fk", "user_id", "tenancy.User")]

    def __str__(self) -> str:
        return f"session of {self.user_id}"


class ApiToken(TenantModel):
    """A key for the API: stored hashed, scoped, expiring. It acts as its user, within its scopes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = DatabaseForeignKey(User, "CASCADE", related_name="api_tokens")
    name = models.TextField()
    secret_sha256 = models.TextField(editable=False)
    scopes = ArrayField(models.TextField(), default=list)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "api_tokens"
        constraints = [tenant_reference("api_tokens_tenant_user_fk", "user_id", "tenancy.User")]

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(TenantModel):
    """A creating request that a user marked with a key, and its answer, so that it is done once."""

    app_privileges: ClassVar[Privileges] = EVERYTHING

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = DatabaseForeignKey(User, "CASCADE", related_name="+")
    key = models.TextField()
    request_sha256 = models.TextField()
    status = models.SmallIntegerField(null=True)
    body = models.JSONField(db_default={})
    location = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "idempotency_keys"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user", "key"], name="idempotency_keys_user_key"),
            tenant_reference("idempotency_keys_tenant_user_fk", "user_id", "tenancy.User"),
        ]
        indexes = [models.Index(fields=["tenant", "created_at"], name="idempotency_keys_age")]

    def __str__(self) -> str:
        return self.key
