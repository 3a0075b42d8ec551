"""Asking for discoveries: by a button, a command, or an account's schedule."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from apps.core.db.fields import TransactionNow
from apps.core.errors import StaleState
from apps.jobs.models import FAILED, FINISHED, Job
from apps.jobs.registry import is_registered
from apps.jobs.services import enqueue
from apps.tenancy.cloud_accounts import next_discovery
from apps.tenancy.models import CloudAccount
from apps.tenancy.models_clouds import CONNECTED, DISCONNECTED, UNPROVEN

JOB_TYPE = "inventory.discover"
SCAN_TYPE = "scans.policy"
# After a change of ours: so many actions in a row are one discovery, not one each.
BETWEEN_DISCOVERIES = timedelta(minutes=2)
# Without a schedule, data older than this is said to be stale.
STALE_AFTER = timedelta(days=7)


def start_discovery(*, account: CloudAccount, send: bool = True) -> Job:
    """Ask for a discovery of a connected account; one that is still under way is given back instead."""
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        if account.status != CONNECTED:
            raise StaleState(f"{account} is {account.status}: test it first.")
        if account.discovery_job_id is not None:
            last = Job.objects.filter(pk=account.discovery_job_id).exclude(status__in=FINISHED).first()
            if last is not None:
                return last
        params = {"account_id": str(account.pk), "account": f"{account.provider} {account.account}"}
        job = enqueue(JOB_TYPE, params, send=send)
        CloudAccount.objects.filter(pk=account.pk).update(discovery_job_id=job.pk)
    return job


def discover_soon(*, accounts: Iterable[tuple[str, str | None]]) -> None:
    """Something of these (provider, account) was changed: what the inventory says of them is out of date.

    The sweep begins the discovery, and the scan that follows closes what was mended. Accounts that are not
    connected, or whose resources came from files, are left alone. Repeated calls are one discovery.
    """
    soon = Greatest(TransactionNow(), F("discovered_at") + BETWEEN_DISCOVERIES)
    later = Q(discovery_due_at__isnull=True) | Q(discovery_due_at__gt=soon)
    for provider, number in sorted({(p, n) for p, n in accounts if n}):
        CloudAccount.objects.filter(later, provider=provider, account=number, status=CONNECTED).update(
            discovery_due_at=soon
        )


def start_due_discoveries() -> int:
    """The sweep: start what the schedules of the context's tenant say is due.

    One that is under way may have read what has changed since: the account stays due until it has ended.
    """
    due = CloudAccount.objects.filter(status=CONNECTED, discovery_due_at__lte=TransactionNow())
    busy = Job.objects.filter(type=JOB_TYPE).exclude(status__in=FINISHED)
    started = 0
    for account in due.exclude(discovery_job_id__in=busy.values("pk")):
        start_discovery(account=account)
        CloudAccount.objects.filter(pk=account.pk).update(discovery_due_at=next_discovery(account))
        started += 1
    return started


def ask_for_scan() -> None:
    """What was discovered is held to the policies; an incremental scan looks at what has changed."""
    if is_registered(SCAN_TYPE):
        enqueue(SCAN_TYPE, {"mode": "incremental"})


def note_end(job: Job) -> None:
    """A discovery that ended badly, also one whose worker died, says so on its account."""
    if job.status == FAILED:
        CloudAccount.objects.filter(pk=uuid.UUID(job.params["account_id"]), problem="").update(
            problem=job.error[:2000], problem_code="failed"
        )


def why_no_data(account: CloudAccount) -> str:
    """In words, why there is no data of the account, or none that is fresh; empty where all is well."""
    if account.status == DISCONNECTED:
        return "It is disconnected: what was discovered before is kept and no longer refreshed."
    if account.problem:
        return account.problem
    if account.status == UNPROVEN:
        return "It has not been tested yet: its credentials have to prove that the account is yours."
    if account.discovered_at is None:
        return "It has not been discovered yet."
    allowed = STALE_AFTER
    if account.discover_every_minutes:
        allowed = timedelta(minutes=2 * account.discover_every_minutes)
    age = timezone.now() - account.discovered_at
    if age > allowed:
        return (
            f"The data is stale: the last discovery was {age.days} days and {age.seconds // 3600} hours ago."
        )
    return ""
