"""Writing the audit trail: one row for each thing that somebody did, in the transaction that did it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from apps.core.context import current

from .models import Audit


def record(
    action: str,
    target: models.Model | tuple[str, str] | None = None,
    payload: Mapping[str, Any] | None = None,
) -> Audit:
    """Append a row for the context's tenant and actor.

    `action` is `app.object.past_participle`; `target` a model instance or (type, id); `payload` what a reader
    needs to understand it later, JSON-serialisable (dates, decimals and UUIDs become text).
    """
    here = current()
    target_type, target_id = _name(target)
    body = dict(payload or {})
    if here.request_id:
        body["request_id"] = here.request_id
    audit = Audit(
        actor=str(here.actor),
        action=action,
        target_type=target_type,
        target_id=target_id,
        payload=_plain(body),
    )
    audit.save(force_insert=True)
    return audit


def _name(target: models.Model | tuple[str, str] | None) -> tuple[str | None, str | None]:
    if target is None:
        return None, None
    if isinstance(target, tuple):
        return target
    return target._meta.label_lower, str(target.pk)


def _plain(body: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(body, cls=DjangoJSONEncoder))
