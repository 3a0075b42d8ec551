"""What a tenant's series are made of: its one currency and the tag keys that are rolled up."""

from __future__ import annotations

from typing import Any

from django.db import connection

from apps.audit.services import record
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput

from ..models import CostRollup, CostSettings
from .rollups import lock_costs, rebuild

MAX_TAG_KEYS = 12
CHOSEN_TAG_KEYS = 6
# A key with more values than this among the lines looked at is a name, not a group.
MAX_VALUES = 500
_LOOKED_AT = 20_000

_MOST_COMMON_CURRENCY = "SELECT billing_currency FROM incoming GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
_ACCOUNT_NAMES = """
SELECT DISTINCT sub_account_id, sub_account_name FROM incoming
WHERE sub_account_id IS NOT NULL AND sub_account_name IS NOT NULL ORDER BY 1, 2 LIMIT 10000
"""
_COMMON_KEYS = """
SELECT key FROM (SELECT tags FROM incoming WHERE tags <> '{}' LIMIT %s) t, jsonb_each_text(t.tags)
GROUP BY key HAVING count(DISTINCT value) <= %s
ORDER BY count(*) DESC, key LIMIT %s
"""


def cost_settings() -> CostSettings:
    """The tenant's settings, unsaved and empty where nothing was imported yet."""
    return CostSettings.objects.first() or CostSettings(currency="", tag_keys=[], account_names={})


def settle_settings(cursor: Any) -> CostSettings:
    """The settings, with what is not set yet taken from the charges in `incoming`."""
    settings = cost_settings()
    cursor.execute(_ACCOUNT_NAMES)
    names = {**settings.account_names, **dict(cursor.fetchall())}
    if settings.currency and settings.tag_keys:
        if names != settings.account_names:
            settings.account_names = names
            settings.save(update_fields=["account_names"])
        return settings
    settings.account_names = names
    if not settings.currency:
        cursor.execute(_MOST_COMMON_CURRENCY)
        settings.currency = cursor.fetchone()[0]
    if not settings.tag_keys:
        cursor.execute(_COMMON_KEYS, [_LOOKED_AT, MAX_VALUES, CHOSEN_TAG_KEYS])
        settings.tag_keys = [row[0] for row in cursor.fetchall()]
    settings.updated_at = TransactionNow()
    known = settings._state.adding is False
    settings.save()
    if known and settings.tag_keys:
        # Lines that came in before any key was known belong under the key as "not tagged".
        rebuild(cursor, settings)
    return settings


def change_settings(*, currency: str | None = None, tag_keys: list[str] | None = None) -> CostSettings:
    """Choose the series' currency and the rolled-up tag keys; all sums are made again from the lines."""
    lock_costs()
    settings = cost_settings()
    before = {"currency": settings.currency, "tag_keys": list(settings.tag_keys or [])}
    if currency is not None:
        known = set(CostRollup.objects.values_list("currency", flat=True).distinct())
        if currency not in known:
            raise InvalidInput(
                f"No line is billed in {currency!r}; there are {', '.join(sorted(known)) or 'no lines'}.",
                field="currency",
            )
        settings.currency = currency
    if tag_keys is not None:
        if len(tag_keys) > MAX_TAG_KEYS:
            raise InvalidInput(f"At most {MAX_TAG_KEYS} tag keys are rolled up.", field="tag_keys")
        settings.tag_keys = list(dict.fromkeys(key.strip() for key in tag_keys if key.strip()))
    after = {"currency": settings.currency, "tag_keys": list(settings.tag_keys or [])}
    if after == before:
        return settings
    settings.updated_at = TransactionNow()
    settings.save()
    with connection.cursor() as cursor:
        rebuild(cursor, settings)
    record("costs.settings.changed", settings, {"before": before, "after": after})
    return settings
