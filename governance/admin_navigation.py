"""The admin's side bar: what this person may open, with the number of decisions that wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from apps.actions.queries import actions_needing_approval
from apps.core.pagination import bounded_count
from apps.findings.models import PolicyException
from apps.tenancy.roles import Permission


@dataclass(frozen=True)
class Waiting:
    """How many rows of a queue wait for a decision, and whether there are more than were counted."""

    count: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.count}" if self.exact else f"{self.count}+"


@dataclass(frozen=True)
class Entry:
    title: str
    icon: str
    url_name: str
    permission: Permission = Permission.VIEW


EXCEPTIONS = "admin:findings_policyexception_changelist"
ACTIONS = "admin:actions_action_changelist"

GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Decide",
        (
            Entry("Exceptions", "approval", EXCEPTIONS),
            Entry("Actions", "bolt", ACTIONS),
        ),
    ),
    (
        "Findings",
        (
            Entry("Violations", "report", "admin:findings_violation_changelist"),
            Entry("Policies", "rule", "admin:catalog_policy_changelist"),
            Entry("Resources", "cloud", "admin:catalog_resource_changelist"),
            Entry("Reports", "description", "admin:reports_report_changelist"),
        ),
    ),
    (
        "Operations",
        (
            Entry("Scan runs", "radar", "admin:findings_scanrun_changelist"),
            Entry("Jobs", "manufacturing", "admin:jobs_job_changelist"),
            Entry("Audit trail", "history", "admin:audit_audit_changelist"),
            Entry("Seal of the trail", "verified_user", "audit:seal"),
        ),
    ),
    (
        "Manage",
        (
            Entry("Users", "group", "admin:tenancy_user_changelist", Permission.MANAGE),
            Entry("Rules of approval", "policy", "admin:actions_actionrule_changelist", Permission.MANAGE),
            Entry("Cloud accounts", "cloud", "admin:tenancy_cloudaccount_changelist", Permission.MANAGE),
            Entry("API tokens", "key", "admin:tenancy_apitoken_changelist", Permission.MANAGE),
            Entry("Webhooks", "webhook", "admin:notices_webhookendpoint_changelist", Permission.MANAGE),
            Entry("Deliveries", "outgoing_mail", "admin:notices_delivery_changelist", Permission.MANAGE),
            Entry("Organisation", "domain", "admin:tenancy_tenant_changelist", Permission.MANAGE),
        ),
    ),
)
# What waits for a decision in each queue.
QUEUES: Mapping[str, Callable[[], QuerySet]] = {
    EXCEPTIONS: lambda: PolicyException.objects.filter(status="pending"),
    ACTIONS: actions_needing_approval,
}


def waiting_in(request: HttpRequest, queue: str) -> Waiting:
    """Counted once a request, and never further than the bound of lists."""
    counted: dict[str, Waiting] = getattr(request, "_waiting", {})
    if queue not in counted:
        counted[queue] = Waiting(*bounded_count(QUEUES[queue]()))
        request._waiting = counted  # type: ignore[attr-defined]
    return counted[queue]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's SIDEBAR.navigation."""
    groups: list[dict[str, Any]] = []
    for title, entries in GROUPS:
        items = [_item(request, entry) for entry in entries if request.user.has_perm(entry.permission)]
        if items:
            groups.append({"title": title, "separator": bool(groups), "items": items})
    return groups


def _item(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    item: dict[str, Any] = {"title": entry.title, "icon": entry.icon, "link": reverse(entry.url_name)}
    if entry.url_name in QUEUES and (waiting := waiting_in(request, entry.url_name)).count:
        item |= {"badge": str(waiting), "badge_variant": "warning"}
    return item
