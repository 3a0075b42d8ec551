"""The job that delivers: claim a row in one transaction, send in none, record in another.

A claim moves `not_before` ahead, so what a killed sender left is due again by itself: delivery is at least
once, under an id that stays the same. Each row is tried for itself; what fails waits longer each time, and
after the last attempt stays `failed` with its reason and a button.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import StaleState
from apps.core.states import transition
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from ..channels.email import send_mail
from ..channels.outcome import Outcome
from ..channels.webhook import send_webhook
from ..models import DELIVERED, EMAIL, FAILED, PENDING, WEBHOOK, Delivery, DeliveryAttempt
from ..states import DELIVERY_MACHINE
from .endpoints import switch_off_gone
from .notifying import JOB_TYPE

log = logging.getLogger(__name__)

# How long after the first, second, … attempt the next one comes: eight in all, over 21 hours.
WAITS = (
    timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=30),
    timedelta(hours=2), timedelta(hours=6), timedelta(hours=12),
)  # fmt: skip
# Longer than any attempt takes: a sender that is silent for so long is taken for dead.
CLAIM = timedelta(minutes=2)
BATCH = 200
SENDERS: Mapping[str, Callable[[Delivery], Outcome]] = {EMAIL: send_mail, WEBHOOK: send_webhook}


def run_deliveries(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler: what is due of params["notice_id"], or of the whole tenant without one."""
    due = _due(handle.params.get("notice_id"))
    delivered = 0
    for number, delivery_id in enumerate(due):
        handle.checkpoint(number, len(due))
        delivered += bool(deliver(delivery_id))
    return {"tried": len(due), "delivered": delivered}


def deliver(delivery_id: UUID) -> bool | None:
    """One attempt, in a transaction before and one after it; None where somebody else has the row."""
    with tenant_transaction(current_tenant_id()):
        delivery = _claim(delivery_id)
    if delivery is None:
        return None
    began = time.monotonic()
    try:
        outcome = SENDERS[delivery.channel](delivery)
    except Exception as error:
        # A defect of ours in one message must not keep its neighbours from going out.
        log.exception("Delivery %s failed", delivery_id)
        outcome = Outcome(False, "error", f"{type(error).__name__}: {str(error)[:300]}")
    took = int(1000 * (time.monotonic() - began))
    with tenant_transaction(current_tenant_id()):
        _record(delivery, outcome, took)
    return outcome.delivered


def resume_deliveries() -> int:
    """The sweep: asks for a job where something is due, at most one a minute."""
    due = Delivery.objects.filter(status=PENDING, not_before__lte=TransactionNow())[:BATCH].count()
    if due:
        enqueue(JOB_TYPE, {}, idempotency_key=f"notices:{timezone.now():%Y-%m-%dT%H:%M}")
    return due


def _due(notice_id: str | None) -> list[UUID]:
    with tenant_transaction(current_tenant_id()):
        rows = Delivery.objects.filter(status=PENDING, not_before__lte=TransactionNow())
        if notice_id is not None:
            rows = rows.filter(notice_id=notice_id)
        return list(rows.order_by("not_before", "id").values_list("pk", flat=True)[:BATCH])


def _claim(delivery_id: UUID) -> Delivery | None:
    claimed = Delivery.objects.filter(
        pk=delivery_id, status=PENDING, not_before__lte=TransactionNow()
    ).update(attempts=F("attempts") + 1, not_before=TransactionNow() + CLAIM)
    if not claimed:
        return None
    return Delivery.objects.select_related("notice", "user", "endpoint").get(pk=delivery_id)


def _record(delivery: Delivery, outcome: Outcome, took: int) -> None:
    DeliveryAttempt(
        delivery=delivery,
        number=delivery.attempts,
        delivered=outcome.delivered,
        code=outcome.code,
        duration_ms=took,
        error=outcome.error,
    ).save(force_insert=True)
    mine = Q(attempts=delivery.attempts)
    if outcome.gone and delivery.endpoint is not None:
        switch_off_gone(endpoint=delivery.endpoint)
    if outcome.delivered or not outcome.retry or delivery.attempts > len(WAITS):
        _end(delivery, DELIVERED if outcome.delivered else FAILED, outcome, mine)
        return
    wait = WAITS[delivery.attempts - 1]
    Delivery.objects.filter(mine, pk=delivery.pk, status=PENDING).update(
        not_before=TransactionNow() + wait, error=outcome.error
    )


def _end(delivery: Delivery, state: str, outcome: Outcome, mine: Q) -> None:
    told = {"channel": delivery.channel, "notice": str(delivery.notice_id), "code": outcome.code}
    try:
        transition(
            DELIVERY_MACHINE,
            delivery,
            state,
            guard=mine,
            changes={"error": outcome.error, "finished_at": TransactionNow()},
            payload=told | ({"error": outcome.error} if outcome.error else {}),
        )
    except StaleState:
        log.warning("Delivery %s: a later attempt has it", delivery.pk)
