"""Telling people: outbox rows in the caller's transaction, delivery by a job afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from apps.core.ids import new_id
from apps.jobs.services import enqueue
from apps.tenancy.models import User

from ..codes import family_of
from ..models import EMAIL, WEBHOOK, Delivery, Mute, Notice, WebhookEndpoint

log = logging.getLogger(__name__)

JOB_TYPE = "notices.deliver"
TITLE_LIMIT, TEXT_LIMIT = 200, 20_000


def notify(
    *,
    code: str,
    title: str,
    text: str,
    path: str,
    users: Iterable[UUID] = (),
    roles: Iterable[str] = (),
    payload: Mapping[str, Any] | None = None,
    key: str = "",
    besides: Iterable[UUID] = (),
) -> int:
    """Write what `users`, everybody with one of `roles` (`besides` those) and the webhooks of `code` are told.

    Call it in the transaction of what happened: it is told if and only if that commits. Returns how many
    deliveries were written, one for each recipient and channel. With a `key`, the same code and key are told
    once, whatever happens later. `path` is the page that it is about, absolute on this site. It never raises:
    what people are told must not stop what they do.
    """
    notice = Notice(
        id=new_id(),
        code=code,
        key=key,
        title=" ".join(title.split())[:TITLE_LIMIT],
        text=text[:TEXT_LIMIT],
        path=path if path.startswith("/") and not path.startswith("//") else "/",
        payload=dict(payload or {}),
    )
    try:
        with transaction.atomic():
            people = _people(code, set(users), set(roles), set(besides))
            return _write(notice, _mails(notice, people) + _hooks(notice, code))
    except Exception:
        log.exception("Nobody could be told of %s (%s)", code, notice.title)
        return 0


def tell_endpoint(*, endpoint: WebhookEndpoint, code: str, title: str, text: str) -> Delivery:
    """One notice to one endpoint, whatever it subscribes to: the test that an admin sends."""
    notice = Notice(id=new_id(), code=code, title=title, text=text, path="/", payload={})
    delivery = _hook(notice, endpoint)
    with transaction.atomic():
        _write(notice, [delivery])
    return delivery


def _people(code: str, users: set[UUID], roles: set[str], besides: set[UUID]) -> list[User]:
    if not users and not roles:
        return []
    muted = Mute.objects.filter(user=OuterRef("pk"), family=family_of(code))
    wanted = User.objects.filter(Q(pk__in=users) | Q(role__in=roles), is_active=True)
    return list(wanted.exclude(pk__in=besides).exclude(Exists(muted)).order_by("pk"))


def _mails(notice: Notice, people: Iterable[User]) -> list[Delivery]:
    addressed = [(user, mail_address(user)) for user in people]
    return [
        Delivery(notice=notice, channel=EMAIL, user=user, address=address)
        for user, address in addressed
        if address
    ]


def _hooks(notice: Notice, code: str) -> list[Delivery]:
    subscribed = Q(codes__contains=[code]) | Q(codes=[])
    endpoints = WebhookEndpoint.objects.filter(subscribed, is_active=True).order_by("pk")
    return [_hook(notice, endpoint) for endpoint in endpoints]


def _hook(notice: Notice, endpoint: WebhookEndpoint) -> Delivery:
    return Delivery(notice=notice, channel=WEBHOOK, endpoint=endpoint, address=endpoint.url)


def _write(notice: Notice, deliveries: list[Delivery]) -> int:
    if not deliveries:
        return 0
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    if notice.key and not Notice.objects.filter(pk=notice.pk).exists():
        return 0  # told before
    Delivery.objects.bulk_create(deliveries)
    enqueue(JOB_TYPE, {"notice_id": str(notice.pk)}, idempotency_key=f"notice:{notice.pk}")
    return len(deliveries)


def mail_address(user: User) -> str:
    """Where a person gets mail: his address, else his user name where that is one; "" without either."""
    for text in (user.email.strip(), user.upn):
        try:
            validate_email(text)
        except ValidationError:
            continue
        return text
    return ""
