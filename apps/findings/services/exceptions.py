"""Exceptions: asked for by one person, decided by another, in force until their term.

Approval suppresses the violations it covers in the same transaction. That an exception is over needs no job:
the effective status is derived from the database's clock, and the sweep only writes down what it already reads.
A violation bears the exception that covers it longest, so where several overlap it lapses with the last.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from apps.audit.services import record
from apps.catalog.models import Policy, Resource
from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.errors import FourEyes, InvalidInput, Refused, StaleState
from apps.core.states import transition
from apps.tenancy.models import User
from apps.tenancy.roles import Permission

from ..expressions import ended_by_term, lapsed
from ..models import PolicyException
from ..scope import Scope
from ..states import EXCEPTION_MACHINE
from .exception_facts import Impact, decision_of, digest_of, impact_of, risk_of, subject_of
from .exception_notices import tell_asked, tell_decided, tell_ended, tell_idle
from .exception_rules import refuse_too_long
from .exception_sql import (
    LAPSED,
    OF_ENDED,
    OF_EXCEPTION,
    OF_SELECTORS,
    Recovered,
    mark_idle,
    one_decision_at_a_time,
    recover,
)

REASON_LIMIT = 4_000
TERM, REVOKED, CLOSED, RENEWED = "term", "revoked", "closed", "renewed"


def exception_impact(*, policy: Policy | None, resource: Resource | None) -> Impact:
    return impact_of(Scope(policy, resource))


def request_exception(
    *,
    reason: str,
    expires_at: datetime | None,
    policy: Policy | None = None,
    resource: Resource | None = None,
    scope: Scope | None = None,
    compensating_control: str = "",
    renews: PolicyException | None = None,
) -> PolicyException:
    """Ask for an exception in the name of the context's person; it waits for somebody else's decision.

    For `policy`, `resource` or both, or for `scope`, such as a filtered set. `renews` continues one: its scope is
    taken over. Raises InvalidInput naming `reason`, `expires_at` (longer than the tenant allows at this risk),
    `policy`, `compensating_control` or `renews`.
    """
    requester = current().actor.user_id
    if requester is None:
        raise Refused("An exception is asked for by a person.")
    if renews is not None:
        _refuse_renewal(renews, expires_at)
        scope = Scope(renews.policy, renews.resource, renews.selector)
    scope = scope or Scope(policy, resource)
    impact = impact_of(scope)
    refuse_too_long(expires_at, risk_of(scope, impact))
    subject = subject_of(scope, expires_at, impact)
    exception = PolicyException(
        policy=scope.policy,
        resource=scope.resource,
        selector=dict(scope.selector) if scope.selector is not None else None,
        reason=_text(reason, "reason"),
        compensating_control=_text(compensating_control, "compensating_control", required=False),
        expires_at=expires_at,
        created_by_id=requester,
        status="pending",
        subject=subject,
        subject_sha256=digest_of(subject),
        renews=renews,
        renewal=renews.renewal + 1 if renews else 0,
    )
    with transaction.atomic():
        exception.save(force_insert=True)
        told = {"reason": exception.reason, "subject": subject, "renews": renews and str(renews.pk)}
        record("findings.exception.requested", exception, told)
        exception.refresh_from_db()
        tell_asked(exception, impact)
    return exception


def approve_exception(*, exception: PolicyException, reason: str = "") -> PolicyException:
    """Grant it: the violations it covers are suppressed until its term, in the same transaction.

    Raises FourEyes for the requester himself, StaleState where somebody else decided first, InvalidInput
    where its term is over, or longer than the tenant allows at the risk that it has by now.
    """
    _refuse_own(exception)
    with transaction.atomic():
        one_decision_at_a_time()
        scope = Scope.of(exception)
        impact = impact_of(scope)
        risk = risk_of(scope, impact)
        refuse_too_long(exception.expires_at, risk)
        _decide(exception, "approved", reason, decision_of(exception, impact, risk))
        suppressed = _apply(exception)
        PolicyException.objects.filter(pk=exception.pk).update(covered=suppressed)
        exception.covered = suppressed
        record("findings.exception.applied", exception, {"suppressed": suppressed})
        _end_renewed(exception)
        tell_decided(exception)
    return exception


def reject_exception(*, exception: PolicyException, reason: str) -> PolicyException:
    """Refuse it, saying why. Raises as approve_exception does."""
    if not reason.strip():
        raise InvalidInput("A rejection says why.", field="reason")
    _refuse_own(exception)
    with transaction.atomic():
        scope = Scope.of(exception)
        impact = impact_of(scope)
        _decide(exception, "rejected", reason, decision_of(exception, impact, risk_of(scope, impact)))
        tell_decided(exception)
    return exception


def revoke_exception(*, exception: PolicyException, reason: str) -> PolicyException:
    """End an approved exception before its term: what it alone suppressed is open again, at once."""
    if not reason.strip():
        raise InvalidInput("A revocation says why.", field="reason")
    return _end_early(exception, REVOKED, reason)


def close_exception(*, exception: PolicyException, reason: str = "") -> PolicyException:
    """End one that is not needed any more, by whoever asked for it or by an approver; a pending one is withdrawn
    by whoever asked. It takes no second pair of eyes: nothing is hidden by it.
    """
    user_id = current().actor.user_id
    person = User.objects.filter(pk=user_id).first() if user_id else None
    is_own = person is not None and exception.created_by_id == person.pk
    decides = person is not None and person.has_perm(Permission.DECIDE)
    if exception.status == "pending" and not is_own:
        raise StaleState("It waits for a decision: whoever asked withdraws it, an approver rejects it.")
    if exception.status == "approved" and not (is_own or decides):
        raise Refused("An exception is closed by whoever asked for it, or by an approver.")
    return _end_early(exception, CLOSED, reason.strip() or "It is not needed any more.")


def sweep_exceptions() -> int:
    """Write down what the clock already says: terms that are over, and the violations open again."""
    one_decision_at_a_time()
    over = PolicyException.objects.filter(ended_by_term()).order_by("expires_at")
    rows = list(over.select_related("policy", "resource", "created_by")[:500])
    for exception in rows:
        was = exception.status
        changes = {"ended_at": F("expires_at"), "end_kind": TERM, "end_reason": "its term is over"}
        transition(EXCEPTION_MACHINE, exception, "expired", changes=changes, note="its term is over")
        if was == "approved":
            tell_ended(exception)
    done = recover(LAPSED)
    return len(rows) + done.reopened + done.kept


def settle_exceptions(*, since: datetime) -> None:
    """Bring what a scan wrote in line with decisions made while its statements ran, which it could not see.

    What was approved since then suppresses what the scan opened meanwhile; what ended suppresses nothing;
    filtered sets are judged anew. Exceptions that have nothing left to cover are proposed for closing.
    """
    one_decision_at_a_time()
    in_force = PolicyException.objects.filter(status="approved").exclude(expires_at__lte=TransactionNow())
    for exception in in_force.filter(decided_at__gte=since).select_related("policy", "resource"):
        _apply(exception)
    recover(OF_ENDED, since=since)
    if in_force.filter(selector__isnull=False).exists():
        recover(OF_SELECTORS)
    for exception_id in mark_idle():
        tell_idle(
            PolicyException.objects.select_related("policy", "resource", "created_by").get(pk=exception_id)
        )


def _apply(exception: PolicyException) -> int:
    """Suppress what it covers: what is open, and what another covers for a shorter time. Returns how many."""
    ends_before = Q(status="suppressed", suppressed_until__isnull=False)
    if exception.expires_at is not None:
        ends_before &= Q(suppressed_until__lt=exception.expires_at)
    covered = Scope.of(exception).violations().filter(Q(status="open") | lapsed() | ends_before)
    return covered.update(
        status="suppressed", suppressed_until=exception.expires_at, exception_id=exception.pk
    )


def _end_renewed(renewal: PolicyException) -> None:
    """What a renewal continues ends with its approval; its violations are the renewal's already."""
    former = renewal.renews
    if former is not None and former.status == "approved":
        _end(former, RENEWED, f"Renewed by {renewal.pk}")


def _end_early(exception: PolicyException, kind: str, reason: str) -> PolicyException:
    with transaction.atomic():
        one_decision_at_a_time()
        was = exception.status
        recovered = _end(exception, kind, reason.strip()[:REASON_LIMIT])
        told = {"reason": exception.end_reason, "reopened": recovered.reopened, "kept": recovered.kept}
        record(f"findings.exception.{kind}", exception, told)
        if was == "approved":
            tell_ended(exception, recovered)
    return exception


def _end(exception: PolicyException, kind: str, reason: str) -> Recovered:
    changes = {
        "ended_at": TransactionNow(),
        "ended_by_id": current().actor.user_id,
        "end_kind": kind,
        "end_reason": reason,
    }
    transition(EXCEPTION_MACHINE, exception, "expired", changes=changes, note=reason)
    exception.refresh_from_db()
    return recover(OF_EXCEPTION, exception=exception.pk)


def _refuse_renewal(former: PolicyException, expires_at: datetime | None) -> None:
    if former.status not in ("approved", "expired") or former.decided_by_id is None:
        raise InvalidInput("Only an exception that was approved can be renewed.", field="renews")
    if former.end_kind in (REVOKED, RENEWED):
        raise InvalidInput(f"This exception was {former.end_kind}: ask for a new one.", field="renews")
    waiting = PolicyException.objects.filter(renews=former, status="pending")
    if waiting.exclude(expires_at__lte=TransactionNow()).exists():
        raise InvalidInput("A renewal of this exception waits for a decision already.", field="renews")
    if expires_at is not None and former.expires_at is not None and expires_at <= former.expires_at:
        raise InvalidInput("A renewal ends later than what it renews.", field="expires_at")


def _refuse_own(exception: PolicyException) -> None:
    decider = current().actor.user_id
    if decider is None:
        raise Refused("An exception is decided by a person.")
    if exception.created_by_id == decider:
        raise FourEyes("You asked for this exception: somebody else has to decide.")


def _decide(exception: PolicyException, state: str, reason: str, decision: dict[str, object]) -> None:
    digest = digest_of(decision)
    words = reason.strip()[:REASON_LIMIT]
    changes = {
        "decided_by_id": current().actor.user_id,
        "decided_at": TransactionNow(),
        "decision_reason": words,
        "decision": decision,
        "decision_sha256": digest,
    }
    payload = {"subject_sha256": exception.subject_sha256, "decision_sha256": digest}
    _four_eyes(
        lambda: transition(EXCEPTION_MACHINE, exception, state, changes=changes, note=words, payload=payload)
    )
    exception.refresh_from_db()


def _four_eyes(change: Callable[[], None]) -> None:
    """The database holds four eyes too; its refusal in our words."""
    try:
        with transaction.atomic():
            change()
    except IntegrityError as error:
        if "four_eyes" in str(error):
            raise FourEyes("You asked for this exception: somebody else has to decide.") from error
        raise


def _text(text: str, name: str, *, required: bool = True) -> str:
    text = text.strip()
    if (required and not text) or len(text) > REASON_LIMIT:
        least = "Say why, in at most" if required else "At most"
        raise InvalidInput(f"{least} {REASON_LIMIT} characters.", field=name)
    return text
