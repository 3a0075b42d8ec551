"""Exceptions: asked for by one person, decided by another, in force until their term.

Approval suppresses the violations it covers in the same transaction. That an exception is over needs no job:
the effective status is derived from the database's clock, and the sweep only writes down what it already reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from apps.audit.services import record
from apps.catalog.models import Policy, Resource
from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.errors import FourEyes, InvalidInput, Refused
from apps.core.states import transition

from ..expressions import lapsed
from ..models import PolicyException, Violation
from ..queries import violations
from ..states import EXCEPTION_MACHINE
from .exception_notices import tell_asked, tell_decided

REASON_LIMIT = 4_000


@dataclass(frozen=True)
class Impact:
    """What an exception would hide now: how many open violations, by severity, the oldest since when."""

    violations: int
    by_severity: Mapping[str, int]
    oldest: datetime | None


def covered_violations(*, policy: Policy | None, resource: Resource | None) -> QuerySet[Violation]:
    """The violations that an exception for a policy, a resource or both speaks of."""
    if policy is None and resource is None:
        raise InvalidInput("An exception is for a policy, a resource or both.", field="policy")
    found = violations()
    if policy is not None:
        found = found.filter(policy=policy)
    if resource is not None:
        found = found.filter(resource=resource)
    return found


def exception_impact(*, policy: Policy | None, resource: Resource | None) -> Impact:
    open_now = covered_violations(policy=policy, resource=resource).filter(Q(shown_status="open"))
    rows = open_now.order_by().values("severity").annotate(n=Count("pk"), since=Min("first_seen"))
    by_severity = {row["severity"]: row["n"] for row in rows}
    oldest = min((row["since"] for row in rows), default=None)
    return Impact(sum(by_severity.values()), by_severity, oldest)


def request_exception(
    *, policy: Policy | None, resource: Resource | None, reason: str, expires_at: datetime | None
) -> PolicyException:
    """Ask for an exception in the name of the context's person; it waits for somebody else's decision."""
    reason = reason.strip()
    if not reason or len(reason) > REASON_LIMIT:
        raise InvalidInput(f"Say why, in at most {REASON_LIMIT} characters.", field="reason")
    requester = current().actor.user_id
    if requester is None:
        raise Refused("An exception is asked for by a person.")
    impact = exception_impact(policy=policy, resource=resource)
    subject = _subject(policy, resource, expires_at, impact)
    exception = PolicyException(
        policy=policy,
        resource=resource,
        reason=reason,
        expires_at=expires_at,
        created_by_id=requester,
        status="pending",
        subject=subject,
        subject_sha256=_digest(subject),
    )
    with transaction.atomic():
        _refuse_past_term(exception)
        exception.save(force_insert=True)
        record("findings.exception.requested", exception, {"reason": reason, "subject": subject})
        tell_asked(exception)
    return exception


def approve_exception(*, exception: PolicyException, reason: str = "") -> PolicyException:
    """Grant it: the violations it covers are suppressed until its term, in the same transaction.

    Raises FourEyes for the requester himself, StaleState where somebody else decided first, InvalidInput
    where its term is already over.
    """
    _refuse_own(exception)
    with transaction.atomic():
        _refuse_past_term(exception)
        _decide(exception, "approved", reason)
        suppressed = (
            covered_violations(policy=exception.policy, resource=exception.resource)
            .filter(Q(shown_status="open"))
            .update(status="suppressed", suppressed_until=exception.expires_at, exception_id=exception.pk)
        )
        record("findings.exception.applied", exception, {"suppressed": suppressed})
        tell_decided(exception)
    return exception


def reject_exception(*, exception: PolicyException, reason: str) -> PolicyException:
    """Refuse it, saying why. Raises as approve_exception does."""
    if not reason.strip():
        raise InvalidInput("A rejection says why.", field="reason")
    _refuse_own(exception)
    with transaction.atomic():
        _decide(exception, "rejected", reason)
        tell_decided(exception)
    return exception


def revoke_exception(*, exception: PolicyException, reason: str) -> PolicyException:
    """End an approved exception before its term: what it suppressed is open again."""
    if not reason.strip():
        raise InvalidInput("A revocation says why.", field="reason")
    with transaction.atomic():
        transition(EXCEPTION_MACHINE, exception, "expired", note=reason.strip())
        reopened = _reopen(Q(exception_id=exception.pk))
        record("findings.exception.revoked", exception, {"reason": reason.strip(), "reopened": reopened})
    return exception


def sweep_exceptions() -> int:
    """Write down what the clock already says: terms that are over, and the violations open again."""
    over = PolicyException.objects.filter(
        status__in=["pending", "approved"], expires_at__lte=TransactionNow()
    ).order_by("expires_at")[:500]
    mended = 0
    for exception in over:
        transition(EXCEPTION_MACHINE, exception, "expired", note="its term is over")
        mended += 1
    return mended + _reopen(lapsed())


def settle_exceptions(*, since: datetime) -> None:
    """Bring what a scan wrote in line with decisions made while its statements ran, which it could not see.

    What was approved since then suppresses what the scan opened meanwhile; what ended suppresses nothing.
    """
    approved = PolicyException.objects.filter(
        status="approved", decided_at__gte=since, selector__isnull=True
    ).exclude(expires_at__lte=TransactionNow())
    for exception in approved:
        covered_violations(policy=exception.policy, resource=exception.resource).filter(status="open").update(
            status="suppressed", suppressed_until=exception.expires_at, exception_id=exception.pk
        )
    _reopen(Q(exception_id__in=PolicyException.objects.filter(status="expired").values("pk")))


def _reopen(which: Q) -> int:
    return Violation.objects.filter(which, status="suppressed").update(
        status="open", suppressed_until=None, exception_id=None
    )


def _refuse_own(exception: PolicyException) -> None:
    decider = current().actor.user_id
    if decider is None:
        raise Refused("An exception is decided by a person.")
    if exception.created_by_id == decider:
        raise FourEyes("You asked for this exception: somebody else has to decide.")


def _refuse_past_term(exception: PolicyException) -> None:
    if exception.expires_at is None:
        return
    if exception.expires_at <= timezone.now():
        raise InvalidInput("The term of this exception is already over.", field="expires_at")


def _decide(exception: PolicyException, state: str, reason: str) -> None:
    try:
        with transaction.atomic():
            transition(
                EXCEPTION_MACHINE,
                exception,
                state,
                changes={
                    "decided_by_id": current().actor.user_id,
                    "decided_at": TransactionNow(),
                    "decision_reason": reason.strip()[:REASON_LIMIT],
                },
                note=reason.strip()[:REASON_LIMIT],
                payload={"subject_sha256": exception.subject_sha256},
            )
    except IntegrityError as error:
        if "four_eyes" in str(error):
            raise FourEyes("You asked for this exception: somebody else has to decide.") from error
        raise
    exception.refresh_from_db()


def _subject(
    policy: Policy | None, resource: Resource | None, expires_at: datetime | None, impact: Impact
) -> dict[str, Any]:
    """What is decided on: the digest of this is what an approver's decision refers to."""
    return {
        "policy": policy and {"id": policy.pk, "name": policy.name, "version": policy.current_version},
        "resource": resource and {"id": resource.pk, "native_id": resource.native_id, "name": resource.name},
        "expires_at": expires_at.isoformat() if expires_at else None,
        "violations": impact.violations,
        "by_severity": dict(impact.by_severity),
        "oldest": impact.oldest.isoformat() if impact.oldest else None,
    }


def _digest(subject: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(subject, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
