"""What people are told about exceptions: approvers of what waits, requesters of what became of it."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from apps.notices.services import notify

from ..models import PolicyException

FAMILY = "exceptions"
OCCASIONS = {
    "asked": "Somebody asked for an exception",
    "decided": "An exception was approved or rejected",
}


def tell_asked(exception: PolicyException) -> int:
    """To those who decide, besides who asked: he can't."""
    asker = exception.created_by
    return notify(
        code=f"{FAMILY}.asked",
        title=f"An exception waits for a decision: {words_of(exception)}",
        text=f"{asker or 'Somebody'} asked for an exception.\n\n{_facts(exception)}",
        path=reverse("admin:findings_policyexception_change", args=[exception.pk]),
        roles=["approver"],
        besides=[asker.pk] if asker else [],
        payload=_payload(exception),
        key=str(exception.pk),
    )


def tell_decided(exception: PolicyException) -> int:
    """To who asked."""
    reason = f"\n\nReason of the decision: {exception.decision_reason}" if exception.decision_reason else ""
    return notify(
        code=f"{FAMILY}.decided",
        title=f"Your exception was {exception.status}: {words_of(exception)}",
        text=f"{exception.decided_by or 'An approver'} {exception.status} it.{reason}\n\n{_facts(exception)}",
        path=_page(exception),
        users=_asker(exception),
        payload=_payload(exception),
        key=str(exception.pk),
    )


def words_of(exception: PolicyException) -> str:
    return f"{exception.policy or 'every policy'} on {exception.resource or 'every resource'}"


def _facts(exception: PolicyException) -> str:
    until = f"{exception.expires_at:%Y-%m-%d %H:%M} UTC" if exception.expires_at else "without an end"
    subject = exception.subject or {}
    return (
        f"For: {words_of(exception)}\nUntil: {until}\n"
        f"It hides {subject.get('violations', 0)} open violations.\n\nReason: {exception.reason}"
    )


def _page(exception: PolicyException) -> str:
    return reverse("findings:exception-detail", args=[exception.pk])


def _asker(exception: PolicyException) -> list[UUID]:
    return [exception.created_by_id] if exception.created_by_id else []


def _payload(exception: PolicyException) -> dict[str, object]:
    return {
        "exception_id": str(exception.pk),
        "status": exception.status,
        "policy_id": exception.policy_id,
        "resource_id": exception.resource_id,
        "expires_at": exception.expires_at and exception.expires_at.isoformat(),
    }
