"""Legal holds: while one is in force nothing that it covers is deleted, whatever its retention says.

A hold covers the whole tenant, or what was kept of one action or one report. Each version that it covers gets the
object store's own legal hold, which is independent of a lock's date.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.context import current, current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput, StaleState
from apps.evidence.holding import hold_version, versions_under
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from .models import LegalHold

JOB_TYPE = "archive.hold"
AREAS = ("", "evidence/", "reports/")
MAX_REASON = 2000


def place_hold(*, reason: str, area: str = "") -> LegalHold:
    """Place a hold on `area` ("" for the whole tenant, else evidence/<action id>/ or reports/<report id>/) and have
    a job put it on what is there. Raises InvalidInput (reason, area)."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise InvalidInput(f"A hold needs a reason of at most {MAX_REASON} characters.", field="reason")
    _require_area(area)
    with transaction.atomic():
        hold = LegalHold(reason=reason, area=area, placed_by=str(current().actor))
        hold.save(force_insert=True)
        record("archive.hold.placed", hold, {"area": area, "reason": reason})
        enqueue(JOB_TYPE, {"hold": str(hold.pk)})
    hold.refresh_from_db()
    return hold


def release_hold(*, hold: LegalHold, reason: str) -> LegalHold:
    """End a hold. What another hold covers stays held. Raises InvalidInput (reason), StaleState where it has ended."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise InvalidInput(f"Say why, in at most {MAX_REASON} characters.", field="reason")
    with transaction.atomic():
        ended = LegalHold.objects.filter(pk=hold.pk, released_at=None).update(
            released_at=TransactionNow(), released_by=str(current().actor), release_reason=reason
        )
        if not ended:
            raise StaleState("This hold has already been released.")
        record("archive.hold.released", hold, {"area": hold.area, "reason": reason})
        enqueue(JOB_TYPE, {"hold": str(hold.pk)})
    hold.refresh_from_db()
    return hold


def _require_area(area: str) -> None:
    if area == "":
        return
    kind, _, rest = area.partition("/")
    try:
        known = f"{kind}/" in AREAS and rest.endswith("/") and str(uuid.UUID(rest[:-1])) == rest[:-1]
    except ValueError:
        known = False
    if not known:
        raise InvalidInput(
            "A hold is on everything (empty), on evidence/<action id>/ or on reports/<report id>/.",
            field="area",
        )


def holds_on(key: str) -> bool:
    """Whether a hold of the context's tenant covers the object `key`: what is written there is held at once."""
    with tenant_transaction(current_tenant_id()):
        areas = list(LegalHold.objects.filter(released_at=None).values_list("area", flat=True))
    prefix = f"tenants/{current_tenant_id()}/"
    return any(key.startswith(prefix + area) for area in areas)


def apply_hold(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler: bring the store's holds under the hold's area to what the rows say, whichever way it went."""
    with tenant_transaction(current_tenant_id()):
        hold = LegalHold.objects.get(pk=handle.params["hold"])
        areas = list(LegalHold.objects.filter(released_at=None).values_list("area", flat=True))
    prefix, done, changed = f"tenants/{current_tenant_id()}/", 0, 0
    for area in ("evidence/", "reports/") if hold.area == "" else (hold.area,):
        for key, version_id in versions_under(prefix + area):
            held = any(key.startswith(prefix + covered) for covered in areas)
            changed += hold_version(key, version_id, held=held)
            done += 1
            if done % 50 == 0:
                handle.checkpoint(done, None, "versions")
    with tenant_transaction(current_tenant_id()):
        record("archive.hold.applied", hold, {"versions": done, "changed": changed})
    return {"versions": done, "changed": changed}
