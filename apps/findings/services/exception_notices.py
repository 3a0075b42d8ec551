"""What people are told about exceptions: approvers of what waits, requesters of what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.urls import reverse

from apps.notices.services import notify

from ..models import PolicyException
from ..scope import Scope

if TYPE_CHECKING:
    from .exception_facts import Impact
    from .exception_sql import Recovered

FAMILY = "exceptions"
OCCASIONS = {
    "asked": "Somebody asked for an exception",
    "decided": "An exception was approved or rejected",
    "expiring": "An exception ends soon",
    "ended": "An exception ended: its violations are open again",
    "idle": "An exception covers nothing any more and could be closed",
}


def tell_asked(exception: PolicyException, impact: Impact) -> int:
    """To those who decide, besides who asked: he can't."""
    asker = exception.created_by
    return _tell(
        exception,
        "asked",
        title=f"An exception waits for a decision: {words_of(exception)}",
        text=f"{asker or 'Somebody'} asked for an exception. It {impact.words()}.\n\n{_facts(exception)}",
        path=reverse("admin:findings_policyexception_change", args=[exception.pk]),
        roles=["approver"],
        besides=_asker(exception),
    )


def tell_decided(exception: PolicyException) -> int:
    """To who asked."""
    reason = f"\n\nReason of the decision: {exception.decision_reason}" if exception.decision_reason else ""
    return _tell(
        exception,
        "decided",
        title=f"Your exception was {exception.status}: {words_of(exception)}",
        text=f"{exception.decided_by or 'An approver'} {exception.status} it.{reason}\n\n{_facts(exception)}",
        users=_asker(exception),
    )


def tell_expiring(exception: PolicyException, days: int) -> int:
    """To who asked and to those who decide, once for each warning."""
    return _tell(
        exception,
        "expiring",
        title=f"An exception ends within {days} day{'' if days == 1 else 's'}: {words_of(exception)}",
        text="Then its violations are open again. Mend them, or ask for a renewal on its page.\n\n"
        + _facts(exception),
        users=_asker(exception),
        roles=["approver"],
        key=f"{exception.pk}:{days}",
    )


def tell_ended(exception: PolicyException, recovered: Recovered | None = None) -> int:
    """To who asked and to those who decide."""
    counted = ""
    if recovered is not None:
        counted = f" {recovered.reopened} violations are open again"
        counted += f", {recovered.kept} stay under another exception." if recovered.kept else "."
    return _tell(
        exception,
        "ended",
        title=f"An exception ended: {words_of(exception)}",
        text=f"{exception.end_reason or 'Its term is over'}.{counted}\n\n{_facts(exception)}",
        users=_asker(exception),
        roles=["approver"],
    )


def tell_idle(exception: PolicyException) -> int:
    """To who asked and to those who decide: it has nothing left to cover."""
    return _tell(
        exception,
        "idle",
        title=f"An exception could be closed: {words_of(exception)}",
        text="Everything it covered passes by now. Close it on its page, so that it hides nothing to come.\n\n"
        + _facts(exception),
        users=_asker(exception),
        roles=["approver"],
        key=f"{exception.pk}:{exception.idle_since:%Y-%m-%dT%H:%M:%S}",
    )


def words_of(exception: PolicyException) -> str:
    return Scope.of(exception).words()


def _tell(
    exception: PolicyException,
    occasion: str,
    *,
    title: str,
    text: str,
    path: str = "",
    key: str = "",
    **to: Any,
) -> int:
    return notify(
        code=f"{FAMILY}.{occasion}",
        title=title,
        text=text,
        path=path or reverse("findings:exception-detail", args=[exception.pk]),
        payload=_payload(exception),
        key=key or str(exception.pk),
        **to,
    )


def _facts(exception: PolicyException) -> str:
    until = f"{exception.expires_at:%Y-%m-%d %H:%M} UTC" if exception.expires_at else "without an end"
    control = exception.compensating_control
    return f"For: {words_of(exception)}\nUntil: {until}\nReason: {exception.reason}" + (
        f"\nCompensating control: {control}" if control else ""
    )


def _asker(exception: PolicyException) -> list[UUID]:
    return [exception.created_by_id] if exception.created_by_id else []


def _payload(exception: PolicyException) -> Mapping[str, Any]:
    return {
        "exception_id": str(exception.pk),
        "status": exception.status,
        "policy_id": exception.policy_id,
        "resource_id": exception.resource_id,
        "selector": exception.selector,
        "expires_at": exception.expires_at and exception.expires_at.isoformat(),
        "end_kind": exception.end_kind,
    }
