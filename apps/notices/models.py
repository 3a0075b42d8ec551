"""What was told, to whom it goes, each attempt to deliver it, and where webhooks go."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.core.db.access import APPEND_ONLY, EVERYTHING, Privileges
from apps.core.db.checks import one_of
from apps.core.db.constraints import tenant_reference
from apps.core.db.fields import BigSerialField, DatabaseForeignKey, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel
from apps.tenancy.models import User

EMAIL, WEBHOOK = "email", "webhook"
CHANNELS = (EMAIL, WEBHOOK)
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
DELIVERY_STATES = (PENDING, DELIVERED, FAILED)
SALT_BYTES = 16


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


class Notice(TenantModel):
    """Something that people are told. `key` names the subject: with one, a notice is written once a code."""

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.TextField()
    key = models.TextField(db_default="")
    title = models.TextField()
    text = models.TextField(db_default="")
    path = models.TextField(db_default="/")
    payload = models.JSONField(db_default={})
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "notices"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="notices_tenant_id_id_key"),
            models.UniqueConstraint(
                fields=["tenant", "code", "key"], condition=~Q(key=""), name="notices_subject_key"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class WebhookEndpoint(TenantModel):
    """An https address that is told of the occasions in `codes`; of all where there are none.

    No secret is stored: it is derived from the platform's key and `salt`. After a new secret was made the
    former one (`former_salt`) signs as well until `former_until`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.TextField()
    url = models.TextField()
    codes = ArrayField(models.TextField(), default=list, blank=True, db_default=[])
    is_active = models.BooleanField(db_default=True)
    inactive_reason = models.TextField(db_default="", editable=False)
    salt = models.BinaryField(default=new_salt, db_default=b"", editable=False)
    former_salt = models.BinaryField(null=True, editable=False)
    former_until = models.DateTimeField(null=True, editable=False)
    created_by = DatabaseForeignKey(
        User, "NO ACTION", null=True, related_name="+", db_column="created_by", editable=False
    )
    created_at = models.DateTimeField(db_default=TransactionNow(), editable=False)

    class Meta:
        db_table = "webhook_endpoints"
        verbose_name = "webhook endpoint"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="webhook_endpoints_tenant_id_id_key"),
            tenant_reference("webhook_endpoints_created_by_fk", "created_by", "tenancy.User", "NO ACTION"),
        ]
        indexes = [
            models.Index("tenant", F("created_at").desc(), F("id").desc(), name="webhook_endpoints_recent")
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(TenantModel):
    """One notice on its way to one recipient by one channel; the outbox's row.

    While `pending` it is due at `not_before`; whoever claims it moves that ahead, so a sender that dies is
    followed by another. `address` is where it goes: a mail address, a URL.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    notice = DatabaseForeignKey(Notice, "CASCADE", related_name="deliveries")
    channel = models.TextField()
    user = DatabaseForeignKey(User, "CASCADE", null=True, related_name="+")
    endpoint = DatabaseForeignKey(WebhookEndpoint, "CASCADE", null=True, related_name="deliveries")
    address = models.TextField()
    status = models.TextField(db_default=PENDING)
    attempts = models.IntegerField(db_default=0)
    not_before = models.DateTimeField(db_default=TransactionNow())
    error = models.TextField(db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notice_deliveries"
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        constraints = [
            one_of("channel", CHANNELS, "notice_deliveries_channel_check"),
            one_of("status", DELIVERY_STATES, "notice_deliveries_status_check"),
            models.UniqueConstraint(fields=["tenant", "id"], name="notice_deliveries_tenant_id_id_key"),
            tenant_reference("notice_deliveries_notice_fk", "notice_id", "notices.Notice"),
            tenant_reference("notice_deliveries_user_fk", "user_id", "tenancy.User"),
            tenant_reference("notice_deliveries_endpoint_fk", "endpoint_id", "notices.WebhookEndpoint"),
        ]
        indexes = [
            models.Index("tenant", F("created_at").desc(), F("id").desc(), name="notice_deliveries_recent"),
            models.Index(
                "tenant", "user", F("created_at").desc(), F("id").desc(), name="notice_deliveries_of_user"
            ),
            models.Index(fields=["tenant", "notice"], name="notice_deliveries_of_notice"),
            models.Index(
                fields=["tenant", "not_before"], condition=Q(status=PENDING), name="notice_deliveries_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.address}"


class DeliveryAttempt(TenantModel):
    """One attempt: how it ended, the code that the other side gave, how long it took, what went wrong."""

    app_privileges: ClassVar[Privileges] = APPEND_ONLY

    id = BigSerialField(primary_key=True)
    delivery = DatabaseForeignKey(Delivery, "CASCADE", related_name="log")
    number = models.IntegerField(db_default=1)
    delivered = models.BooleanField(db_default=False)
    code = models.TextField(db_default="")
    duration_ms = models.IntegerField(db_default=0)
    error = models.TextField(db_default="")
    at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "notice_attempts"
        constraints = [tenant_reference("notice_attempts_delivery_fk", "delivery_id", "notices.Delivery")]
        indexes = [models.Index(fields=["tenant", "delivery", "id"], name="notice_attempts_of_delivery")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"


class Mute(TenantModel):
    """A person gets no mail of this family. What waits for him is still counted and listed on the pages."""

    app_privileges: ClassVar[Privileges] = EVERYTHING

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = DatabaseForeignKey(User, "CASCADE", related_name="+")
    family = models.TextField()
    created_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "notice_mutes"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user", "family"], name="notice_mutes_user_family_key"),
            tenant_reference("notice_mutes_user_fk", "user_id", "tenancy.User"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.family}"
