"""Webhook endpoints: made, changed, given a new secret, tried out; and sending something again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.audit.services import record
from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput, StaleState
from apps.core.states import transition
from apps.jobs.services import enqueue

from ..channels.addresses import checked_url
from ..channels.signing import secret_text
from ..codes import TEST, codes
from ..models import PENDING, Delivery, WebhookEndpoint, new_salt
from ..states import DELIVERY_MACHINE
from .notifying import JOB_TYPE, tell_endpoint

NAME_LIMIT = 100
MOST_ENDPOINTS = 50
# For how long a former secret signs beside the new one: time to change it at the receiver.
OVERLAP = timedelta(hours=24)


@dataclass(frozen=True)
class NewSecret:
    """An endpoint and its secret, which is shown this once."""

    endpoint: WebhookEndpoint
    secret: str


def create_endpoint(*, name: str, url: str, codes: Sequence[str] = ()) -> NewSecret:
    """Make an endpoint. Raises InvalidInput naming `name`, `url` or `codes`."""
    if WebhookEndpoint.objects.count() >= MOST_ENDPOINTS:
        raise InvalidInput(f"There are already {MOST_ENDPOINTS} endpoints; switch off and reuse one.")
    endpoint = WebhookEndpoint(
        name=_checked_name(name),
        url=checked_url(url),
        codes=_checked_codes(codes),
        created_by_id=current().actor.user_id,
        is_active=True,
    )
    with transaction.atomic():
        endpoint.save(force_insert=True)
        record("notices.endpoint.created", endpoint, _told(endpoint))
    return NewSecret(endpoint, secret_text(endpoint))


def change_endpoint(
    *,
    endpoint: WebhookEndpoint,
    name: str | None = None,
    url: str | None = None,
    codes: Sequence[str] | None = None,
    is_active: bool | None = None,
) -> WebhookEndpoint:
    """Change what is given. Raises InvalidInput as create_endpoint does."""
    endpoint = WebhookEndpoint.objects.get(pk=endpoint.pk)
    before = _told(endpoint)
    endpoint.name = endpoint.name if name is None else _checked_name(name)
    endpoint.url = endpoint.url if url is None or url == endpoint.url else checked_url(url)
    endpoint.codes = endpoint.codes if codes is None else _checked_codes(codes)
    endpoint.is_active = endpoint.is_active if is_active is None else is_active
    after = _told(endpoint)
    if after != before:
        endpoint.inactive_reason = "" if endpoint.is_active else endpoint.inactive_reason
        with transaction.atomic():
            endpoint.save(update_fields=["name", "url", "codes", "is_active", "inactive_reason"])
            record("notices.endpoint.changed", endpoint, {"before": before, "after": after})
    return endpoint


def renew_secret(*, endpoint: WebhookEndpoint) -> NewSecret:
    """Give a new secret. The former one signs as well for a day, so nothing is lost while it is changed."""
    with transaction.atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
            former_salt=F("salt"), former_until=TransactionNow() + OVERLAP, salt=new_salt()
        )
        record("notices.endpoint.secret_renewed", endpoint, {"name": endpoint.name})
        endpoint.refresh_from_db()
    return NewSecret(endpoint, secret_text(endpoint))


def try_endpoint(*, endpoint: WebhookEndpoint) -> Delivery:
    """Send it a notice of the code `notices.test`; the delivery log shows how it went."""
    if not endpoint.is_active:
        raise StaleState("This endpoint is switched off: switch it on first.")
    with transaction.atomic():
        delivery = tell_endpoint(
            endpoint=endpoint,
            code=TEST,
            title=f"A test of {endpoint.name}",
            text="If you can read this and its signature is right, webhooks arrive.",
        )
        record("notices.endpoint.tested", endpoint, {"delivery": str(delivery.pk)})
    return delivery


def switch_off_gone(*, endpoint: WebhookEndpoint) -> None:
    """The endpoint answered 410: it asks not to be called again."""
    gone = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True)
    why = "It answered 410 Gone."
    if gone.update(is_active=False, inactive_reason=why):
        record("notices.endpoint.switched_off", endpoint, {"name": endpoint.name, "why": why})


def send_again(*, delivery: Delivery) -> Delivery:
    """Try a delivery that has ended once more, from the first attempt. Raises StaleState while it waits."""
    if delivery.status == PENDING:
        raise StaleState("This delivery is still under way: it is tried again by itself.")
    with transaction.atomic():
        changes: dict[str, Any] = {
            "attempts": 0, "error": "", "finished_at": None, "not_before": TransactionNow(),
        }  # fmt: skip
        transition(DELIVERY_MACHINE, delivery, PENDING, changes=changes, note="sent again")
        enqueue(JOB_TYPE, {"notice_id": str(delivery.notice_id)})
        delivery.refresh_from_db()
    return delivery


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT:
        raise InvalidInput(f"A name has 1 to {NAME_LIMIT} characters.", field="name")
    return name


def _checked_codes(wanted: Sequence[str]) -> list[str]:
    unknown = sorted(set(wanted) - set(codes()))
    if unknown:
        raise InvalidInput(f"There are no such occasions: {', '.join(unknown)}.", field="codes")
    return sorted(set(wanted))


def _told(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "name": endpoint.name, "url": endpoint.url, "codes": list(endpoint.codes),
        "is_active": endpoint.is_active,
    }  # fmt: skip
