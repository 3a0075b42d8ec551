"""Connecting cloud accounts: the references that the platform allows, and the accounts that use them.

Nothing here calls a cloud: `apps.catalog.services.clouds` does, and writes down by `record_test` what it heard.
"""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from types import EllipsisType
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from apps.audit.services import record
from apps.core.context import current, current_tenant_id
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput, Refused, StaleState
from apps.core.states import transition
from apps.jobs.models import FINISHED, Job
from apps.jobs.services import cancel_job

from .cloud_references import (
    clean_account,
    clean_listing,
    clean_provider,
    clean_regions,
    reference_matches,
    split_reference,
)
from .models_clouds import CONNECTED, DISCONNECTED, LISTINGS, UNPROVEN, CloudAccount, CloudCredential
from .services import OWNER
from .states import ACCOUNT_MACHINE

HELD = (
    "This account can't be connected here: it is connected already by somebody else. If it is yours, ask the "
    "platform's operator."
)
SHORTEST_MINUTES, LONGEST_MINUTES = 15, 7 * 24 * 60


def allow_credential(
    *, provider: str, reference: str, endpoint_url: str = "", source: str = ""
) -> CloudCredential:
    """Let the context's tenant use a reference; as the owner role, for the app role can't. Repeatable."""
    clean_provider(provider)
    kind, pattern = split_reference(reference, pattern=True)
    if source:
        split_reference(source)
    if endpoint_url and not endpoint_url.startswith(("http://", "https://")):
        raise InvalidInput("An endpoint is an http or https URL.", field="endpoint_url")
    values = {"endpoint_url": endpoint_url, "source": source, "revoked_at": None}
    with transaction.atomic(using=OWNER):
        allowed, _ = CloudCredential.objects.using(OWNER).update_or_create(
            tenant_id=current_tenant_id(), provider=provider, kind=kind, pattern=pattern, defaults=values
        )
    with transaction.atomic():
        record(
            "tenancy.cloud_credential.allowed",
            ("cloud_credential", str(allowed.pk)),
            {"provider": provider, "reference": str(allowed), "endpoint_url": endpoint_url, "source": source},
        )
    return allowed


def revoke_credential(*, provider: str, reference: str) -> None:
    """Take a reference away again, as the owner role; accounts that use it stop working at once."""
    kind, pattern = split_reference(reference, pattern=True)
    with transaction.atomic(using=OWNER):
        rows = CloudCredential.objects.using(OWNER).filter(
            tenant_id=current_tenant_id(), provider=provider, kind=kind, pattern=pattern, revoked_at=None
        )
        ids = list(rows.values_list("pk", flat=True))
        rows.update(revoked_at=TransactionNow())
    if not ids:
        raise InvalidInput("This reference is not allowed anyway.", field="credential")
    with transaction.atomic():
        record(
            "tenancy.cloud_credential.revoked",
            ("cloud_credential", str(ids[0])),
            {"provider": provider, "reference": f"{kind}:{pattern}"},
        )


def allowed_credential(provider: str, reference: str) -> CloudCredential:
    """The platform's permission for a reference. Raises Refused where there is none for this tenant."""
    kind, value = split_reference(reference)
    rows = CloudCredential.objects.filter(provider=provider, kind=kind, revoked_at=None)
    for row in rows.order_by("pattern"):
        if reference_matches(row.pattern, value):
            return row
    raise Refused(
        f"The platform does not allow this {kind} reference for your organisation: ask its operator to allow it."
    )


def create_account(
    *,
    provider: str,
    account: str,
    credential: str,
    name: str = "",
    regions: Sequence[str] = (),
    discover_every_minutes: int | None = None,
    listing: str = LISTINGS[0],
) -> CloudAccount:
    """Write down an account of the context's tenant; it is connected once a test has proven it.

    An account that was disconnected is taken up again. Raises InvalidInput naming the field, Refused where
    the reference is not allowed or the account is somebody else's, in the same words whoever that is.
    """
    account = clean_account(provider, account)
    with transaction.atomic():
        permission = allowed_credential(provider, credential)
        _refuse_held(provider, account)
        values: dict[str, Any] = {
            "name": name.strip(),
            "credential": permission,
            "reference": credential.strip(),
            "regions": clean_regions(list(regions)),
            "discover_every_minutes": _clean_schedule(discover_every_minutes),
            "listing": clean_listing(provider, listing),
        }
        there = CloudAccount.objects.filter(provider=provider, account=account).first()
        if there is not None:
            return _take_up_again(there, values)
        made = CloudAccount(
            provider=provider,
            account=account,
            status=UNPROVEN,
            external_id=secrets.token_hex(16),
            created_by=str(current().actor),
            **values,
        )
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError as error:
            raise InvalidInput("This account is there already.", field="account") from error
        record("tenancy.cloud_account.created", made, _facts(made))
        made.refresh_from_db()
    return made


def _take_up_again(there: CloudAccount, values: dict[str, Any]) -> CloudAccount:
    if there.status != DISCONNECTED:
        raise InvalidInput("This account is there already.", field="account")
    changes = {**values, "problem": "", "problem_code": "", "updated_at": TransactionNow()}
    transition(ACCOUNT_MACHINE, there, UNPROVEN, changes=changes, payload={"reference": values["reference"]})
    there.refresh_from_db()
    return there


def change_account(
    *,
    account: CloudAccount,
    name: str | None = None,
    credential: str | None = None,
    regions: Sequence[str] | None = None,
    discover_every_minutes: int | EllipsisType | None = ...,
    listing: str | None = None,
) -> CloudAccount:
    """Change what is given; `discover_every_minutes=None` takes the schedule away, left out it stays.

    Another credential has to prove the account anew. Raises InvalidInput naming the field, and Refused where
    the reference is not allowed or the account is disconnected.
    """
    before = _facts(account)
    with transaction.atomic():
        if account.status == DISCONNECTED:
            raise Refused(f"{account} is disconnected: connect it again first.")
        if credential is not None and credential.strip() != account.reference:
            account.credential = allowed_credential(account.provider, credential)
            account.reference = credential.strip()
            # What the former credentials could not do is no word on these.
            account.problem = account.problem_code = ""
            if account.status == CONNECTED:
                changes = {"proven_at": None, "tested_at": None, "updated_at": TransactionNow()}
                transition(ACCOUNT_MACHINE, account, UNPROVEN, changes=changes, note="Another credential.")
        account.name = name.strip() if name is not None else account.name
        account.regions = clean_regions(list(regions)) if regions is not None else account.regions
        if listing is not None:
            account.listing = clean_listing(account.provider, listing)
        if not isinstance(discover_every_minutes, EllipsisType):
            minutes = _clean_schedule(discover_every_minutes)
            if minutes != account.discover_every_minutes:
                account.discover_every_minutes = minutes
                account.discovery_due_at = next_discovery(account)
        if _facts(account) == before:
            return account
        account.updated_at = TransactionNow()  # type: ignore[assignment]
        account.save(
            update_fields=[
                "name", "credential", "reference", "regions", "listing", "discover_every_minutes",
                "discovery_due_at", "problem", "problem_code", "updated_at",
            ]
        )  # fmt: skip
        record("tenancy.cloud_account.changed", account, {"before": before, "after": _facts(account)})
        account.refresh_from_db()
    return account


def disconnect_account(*, account: CloudAccount) -> CloudAccount:
    """End it: nothing is read from it or done to it any more. What was discovered stays.

    A discovery that is under way is asked to stop. Raises IllegalTransition where it is disconnected already.
    """
    with transaction.atomic():
        transition(
            ACCOUNT_MACHINE,
            account,
            DISCONNECTED,
            changes={
                "proven_at": None,
                "tested_at": None,
                "discovery_due_at": None,
                "updated_at": TransactionNow(),
            },
        )
        job_id = account.discovery_job_id
        if job_id and Job.objects.filter(pk=job_id).exclude(status__in=FINISHED).exists():
            cancel_job(job_id=job_id)
    account.refresh_from_db()
    return account


def record_test(*, account: CloudAccount, problem: str, code: str) -> CloudAccount:
    """Write down what a test of the credentials heard; without a problem the account is connected.

    Raises Refused where another tenant has connected the same account first.
    """
    heard = {"tested_at": TransactionNow(), "problem": problem, "problem_code": code}
    if account.status == CONNECTED and code == "other_account":
        # Whoever's these credentials now are: nothing is read or changed with them under this name.
        transition(ACCOUNT_MACHINE, account, UNPROVEN, changes={**heard, "proven_at": None}, note=problem)
        account.refresh_from_db()
        return account
    if problem or account.status == CONNECTED:
        with transaction.atomic():
            CloudAccount.objects.filter(pk=account.pk).update(**heard)
            record(
                "tenancy.cloud_account.tested",
                account,
                {"proven": not problem, "problem": problem, "code": code},
            )
            account.refresh_from_db()
        return account
    try:
        with transaction.atomic():
            changes = {**heard, "proven_at": TransactionNow(), "discovery_due_at": next_discovery(account)}
            transition(ACCOUNT_MACHINE, account, CONNECTED, changes=changes)
    except IntegrityError as error:
        raise Refused(HELD) from error
    except StaleState:
        pass  # tested twice at once: the other one has connected it
    account.refresh_from_db()
    return account


def next_discovery(account: CloudAccount) -> Any:
    """When the schedule wants the next discovery; None without a schedule."""
    if not account.discover_every_minutes:
        return None
    return timezone.now() + timedelta(minutes=account.discover_every_minutes)


def find_account(handle: str) -> CloudAccount:
    """The context tenant's account of an id of ours or of the cloud's. Raises InvalidInput naming it."""
    handle = handle.strip()
    match = Q(account=handle.lower())
    with contextlib.suppress(ValueError):
        match |= Q(pk=uuid.UUID(handle))
    found = list(CloudAccount.objects.filter(match)[:2])
    if not found:
        raise InvalidInput(f"There is no cloud account {handle!r}.", field="account")
    if len(found) > 1:
        raise InvalidInput(f"There are two accounts {handle!r}: use the id.", field="account")
    return found[0]


def _refuse_held(provider: str, account: str) -> None:
    """The unique index decides in the end; this says so before credentials are set up in vain."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT cloud_account_is_held(%s, %s)", [provider, account])
        if cursor.fetchone() == (True,):
            raise Refused(HELD)


def _clean_schedule(minutes: int | None) -> int | None:
    if not minutes:
        return None
    if not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
        raise InvalidInput(
            f"A schedule is from {SHORTEST_MINUTES} minutes to {LONGEST_MINUTES} minutes.",
            field="discover_every_minutes",
        )
    return minutes


def _facts(account: CloudAccount) -> dict[str, Any]:
    return {
        "provider": account.provider,
        "account": account.account,
        "name": account.name,
        "reference": account.reference,
        "regions": list(account.regions or []),
        "listing": account.listing,
        "discover_every_minutes": account.discover_every_minutes,
    }
