"""Delivery to real servers: what arrives, what is retried, what ends, and that one harms no other."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit.models import Audit
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.errors import StaleState
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.notices.models import Delivery, DeliveryAttempt, WebhookEndpoint
from apps.notices.services import delivering, notify
from apps.notices.services.delivering import WAITS, deliver, resume_deliveries
from apps.notices.services.endpoints import (
    change_endpoint,
    renew_secret,
    send_again,
    try_endpoint,
)
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role

from .receivers import HookReceiver, MailReceiver

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
Endpoint = tuple[WebhookEndpoint, str]


def tell(**given: Any) -> int:
    told = {"code": "jobs.failed", "title": "A scan failed", "text": "It broke.", "path": "/jobs/1/"} | given
    return notify(**told)


def run(tenant: Tenant) -> Job | None:
    """The oldest queued job of deliveries, as a worker would run it."""
    job = Job.objects.filter(type="notices.deliver", status="queued").order_by("created_at", "id").first()
    assert job is not None
    return run_job(tenant.pk, job.pk)


def again_now(delivery: Delivery) -> None:
    """The wait is over."""
    Delivery.objects.filter(pk=delivery.pk).update(not_before=timezone.now() - timedelta(days=1))


def log_of(delivery: Delivery) -> list[tuple[int, bool, str]]:
    return list(delivery.log.order_by("id").values_list("number", "delivered", "code"))


# --- mail ---------------------------------------------------------------------------------------------------


def test_mail_arrives_with_its_link(
    in_tenant: Tenant, people: Users, mails: MailReceiver, settings: Any
) -> None:
    tell(users=[people[Role.VIEWER].pk], title="Zugriff abgelehnt – größer", text="Why: =1+1")
    job = run(in_tenant)
    assert job is not None and job.result == {"tried": 1, "delivered": 1}
    (message,) = mails.messages
    delivery = Delivery.objects.get()
    assert message["To"] == "viewer@example.org"
    assert message["Subject"].strip() == "[Governance desk] Zugriff abgelehnt – größer"
    assert message["Auto-Submitted"] == "auto-generated"
    assert str(delivery.pk) in message["Message-ID"]
    text = message.get_content()
    assert "Why: =1+1" in text
    assert f"{settings.BASE_URL}/jobs/1/" in text
    assert f"{settings.BASE_URL}/notices/preferences/" in text
    assert (delivery.status, delivery.attempts, log_of(delivery)) == ("delivered", 1, [(1, True, "250")])
    assert Audit.objects.filter(action="notices.delivery.delivered", target_id=str(delivery.pk)).exists()


@pytest.mark.parametrize(
    ("answer", "status"),
    [("451 try later", "pending"), ("550 no such user", "failed")],
    ids=["temporary", "permanent"],
)
def test_a_refusal_for_now_is_retried_and_one_for_good_is_not(
    in_tenant: Tenant, people: Users, mails: MailReceiver, answer: str, status: str
) -> None:
    mails.answer = answer
    tell(roles=["viewer"])
    run(in_tenant)
    delivery = Delivery.objects.get()
    assert (delivery.status, log_of(delivery)) == (status, [(1, False, answer[:3])])
    assert answer[4:] in delivery.error


def test_a_mail_server_that_is_away_is_asked_again(in_tenant: Tenant, people: Users, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    tell(roles=["viewer"])
    run(in_tenant)
    delivery = Delivery.objects.get()
    assert (delivery.status, log_of(delivery)) == ("pending", [(1, False, "unreachable")])
    assert "did not answer" in delivery.error


def test_who_was_switched_off_since_gets_none(in_tenant: Tenant, people: Users, mails: MailReceiver) -> None:
    tell(roles=["viewer"])
    User.objects.filter(pk=people[Role.VIEWER].pk).update(is_active=False)
    run(in_tenant)
    assert mails.messages == []
    assert Delivery.objects.get().status == "failed"


# --- webhooks -----------------------------------------------------------------------------------------------


def test_a_webhook_arrives_signed(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver, settings: Any
) -> None:
    secret = endpoint[1]
    tell(title="Größer", payload={"job_id": "7"})
    run(in_tenant)
    (hook,) = hooks.got
    hook.verify(secret)
    delivery = Delivery.objects.get()
    assert hook.path == "/hook?room=1"
    assert hook.headers["content-type"] == "application/json"
    assert hook.headers["webhook-id"] == f"msg_{delivery.pk.hex}"
    assert hook.headers["host"] == f"localhost:{hooks.port}"
    assert hook.server_name == "localhost"
    assert hook.told["type"] == "jobs.failed"
    assert hook.told["data"] == {
        "notice_id": str(delivery.notice_id),
        "tenant_id": str(in_tenant.pk),
        "title": "Größer",
        "text": "It broke.",
        "url": f"{settings.BASE_URL}/jobs/1/",
        "details": {"job_id": "7"},
    }
    assert (delivery.status, log_of(delivery)) == ("delivered", [(1, True, "200")])


def test_a_receiver_notices_what_was_changed_or_is_old(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    tell()
    run(in_tenant)
    hook = hooks.got[0]
    for forged in (
        {**hook.__dict__, "body": hook.body.replace(b"broke", b"works")},
        {**hook.__dict__, "headers": {**hook.headers, "webhook-id": "msg_other"}},
    ):
        with pytest.raises(ValueError, match="signature"):
            type(hook)(**forged).verify(endpoint[1])
    with pytest.raises(ValueError, match="window"):
        hook.verify(endpoint[1], now=int(hook.headers["webhook-timestamp"]) + 301)


def test_each_endpoint_has_a_secret_of_its_own(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    from apps.notices.services.endpoints import create_endpoint

    other = create_endpoint(name="other", url=hooks.url("/other"))
    assert other.secret != endpoint[1]
    tell()
    run(in_tenant)
    by_path = {hook.path: hook for hook in hooks.got}
    by_path["/other"].verify(other.secret)
    with pytest.raises(ValueError, match="signature"):
        by_path["/other"].verify(endpoint[1])


def test_a_new_secret_signs_beside_the_former_one_for_a_day(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    made, former = endpoint
    renewed = renew_secret(endpoint=made).secret
    assert renewed != former
    tell()
    run(in_tenant)
    hooks.got[0].verify(former)
    hooks.got[0].verify(renewed)
    WebhookEndpoint.objects.update(former_until=timezone.now() - timedelta(seconds=1))
    tell()
    run(in_tenant)
    hooks.got[1].verify(renewed)
    with pytest.raises(ValueError, match="signature"):
        hooks.got[1].verify(former)


def test_the_secret_is_in_no_column(in_tenant: Tenant, endpoint: Endpoint) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT w::text FROM webhook_endpoints w")
        (row,) = cursor.fetchone()
    import base64

    raw = base64.b64decode(endpoint[1].removeprefix("whsec_"))
    assert raw.hex() not in row
    assert endpoint[1][6:] not in row


def test_what_fails_is_retried_longer_each_time_under_the_same_id_and_then_ends(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    hooks.answers = [503] * 20
    tell()
    delivery = Delivery.objects.get()
    waits = []
    for _ in range(len(WAITS) + 1):
        again_now(delivery)
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            (now,) = cursor.fetchone()
        assert deliver(delivery.pk) is False
        delivery.refresh_from_db()
        waits.append(delivery.not_before - now)
    assert waits[:-1] == list(WAITS)
    assert waits[:-1] == sorted(waits[:-1])
    assert delivery.status == "failed"
    assert delivery.error == "The endpoint answered 503 Service Unavailable."
    assert len({hook.headers["webhook-id"] for hook in hooks.got}) == 1
    again_now(delivery)
    assert deliver(delivery.pk) is None
    assert len(hooks.got) == len(WAITS) + 1
    assert log_of(delivery) == [(n, False, "503") for n in range(1, len(WAITS) + 2)]


def test_before_its_time_it_is_not_tried_again(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    hooks.answers = [500]
    tell()
    run(in_tenant)
    assert deliver(Delivery.objects.get().pk) is None
    assert len(hooks.got) == 1


def test_the_sweep_asks_for_what_is_due_once_a_minute(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    hooks.answers = [500]
    tell()
    run(in_tenant)
    assert resume_deliveries() == 0
    again_now(Delivery.objects.get())
    assert resume_deliveries() == 1
    resume_deliveries()
    assert Job.objects.filter(type="notices.deliver", status="queued").count() in (1, 2)  # a minute may turn
    run(in_tenant)
    assert Delivery.objects.get().status == "delivered"


def test_sending_again_begins_anew_under_the_same_id(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    hooks.answers = [410]
    tell()
    run(in_tenant)
    delivery = Delivery.objects.get()
    assert delivery.status == "failed"
    change_endpoint(endpoint=endpoint[0], is_active=True)
    send_again(delivery=delivery)
    with pytest.raises(StaleState):
        send_again(delivery=delivery)
    run(in_tenant)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)
    assert len({hook.headers["webhook-id"] for hook in hooks.got}) == 1
    assert [code for _, _, code in log_of(delivery)] == ["410", "200"]


def test_an_endpoint_that_says_it_is_gone_is_switched_off(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    hooks.answers = [410]
    tell()
    run(in_tenant)
    made = WebhookEndpoint.objects.get()
    assert (made.is_active, made.inactive_reason) == (False, "It answered 410 Gone.")
    assert Audit.objects.filter(action="notices.endpoint.switched_off").exists()
    assert tell() == 0
    with pytest.raises(StaleState):
        try_endpoint(endpoint=made)


def test_a_test_goes_to_its_endpoint_alone(
    in_tenant: Tenant, endpoint: Endpoint, hooks: HookReceiver
) -> None:
    change_endpoint(endpoint=endpoint[0], codes=["jobs.failed"])
    WebhookEndpoint.objects.create(name="other", url=hooks.url("/other"))
    try_endpoint(endpoint=endpoint[0])
    run(in_tenant)
    assert [(hook.path, hook.told["type"]) for hook in hooks.got] == [("/hook?room=1", "notices.test")]


def test_one_that_fails_leaves_its_neighbours_alone(
    in_tenant: Tenant, people: Users, endpoint: Endpoint, hooks: HookReceiver, mails: MailReceiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def breaks(delivery: Delivery) -> Any:
        if delivery.address.startswith("viewer"):
            raise RuntimeError("a defect of ours")
        return delivering.send_mail(delivery)

    monkeypatch.setattr(delivering, "SENDERS", {**delivering.SENDERS, "email": breaks})
    hooks.answers = [500]
    tell(roles=["viewer", "admin"])
    job = run(in_tenant)
    assert job is not None and (job.status, job.result) == ("succeeded", {"tried": 3, "delivered": 1})
    assert dict(Delivery.objects.values_list("address", "status")) == {
        "viewer@example.org": "pending", "admin@example.org": "delivered", hooks.url("/hook?room=1"): "pending",
    }  # fmt: skip
    assert "RuntimeError: a defect of ours" in DeliveryAttempt.objects.get(code="error").error


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_something_is_sent_and_a_killed_sender_is_followed(
    tenant: Tenant, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenant_transaction(tenant.pk, Actor.system("test")):
        User.objects.update(email="a@example.org")
        tell(roles=["viewer"])
        delivery = Delivery.objects.get()
    seen = []

    def killed(_: Delivery) -> Any:
        seen.append(connection.in_atomic_block)
        raise KeyboardInterrupt

    monkeypatch.setattr(delivering, "SENDERS", {"email": killed})
    with tenant_scope(tenant.pk, Actor.system("test")):
        with pytest.raises(KeyboardInterrupt):
            deliver(delivery.pk)
        assert seen == [False]
        assert deliver(delivery.pk) is None  # somebody may still be at it
        with tenant_transaction(tenant.pk):
            delivery.refresh_from_db()
            assert (delivery.status, delivery.attempts) == ("pending", 1)
            again_now(delivery)
        monkeypatch.undo()
        assert deliver(delivery.pk) is True


def test_a_job_that_failed_tells_who_asked_for_it_once(in_tenant: Tenant, people: Users) -> None:
    from apps.core.context import act_as
    from apps.jobs.services import enqueue, finish

    with act_as(Actor.user(people[Role.OPERATOR].pk)):
        job = enqueue("scans.policy", {})
    job.status = "running"
    job.save(update_fields=["status"])
    finish(job, "failed", error="The regular expression ran away.")
    delivery = Delivery.objects.select_related("notice").get()
    assert delivery.address == "operator@example.org"
    assert delivery.notice.title == "Policy scan failed"
    assert "ran away" in delivery.notice.text
    assert re.fullmatch(rf"/jobs/{job.pk}/", delivery.notice.path)


def test_a_delivery_job_that_failed_tells_nobody(in_tenant: Tenant, people: Users) -> None:
    from apps.core.context import act_as
    from apps.jobs.services import enqueue, finish

    with act_as(Actor.user(people[Role.OPERATOR].pk)):
        job = enqueue("notices.deliver", {})
    job.status = "running"
    job.save(update_fields=["status"])
    finish(job, "failed", error="x")
    assert not Delivery.objects.exists()
