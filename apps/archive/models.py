"""Legal holds. The history's own models belong to findings and actions."""

from __future__ import annotations

from django.db import models
from django.db.models import F

from apps.core.db.fields import TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel


class LegalHold(TenantModel):
    """Somebody must be able to rely on it: `area` is what is held, "" for everything; in force until `released_at`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    area = models.TextField(db_default="", blank=True)
    reason = models.TextField()
    placed_by = models.TextField()
    placed_at = models.DateTimeField(db_default=TransactionNow())
    released_by = models.TextField(db_default="")
    released_at = models.DateTimeField(null=True)
    release_reason = models.TextField(db_default="")

    class Meta:
        db_table = "legal_holds"
        indexes = [models.Index("tenant", F("placed_at").desc(), F("id").desc(), name="legal_holds_recent")]

    def __str__(self) -> str:
        return self.reason
