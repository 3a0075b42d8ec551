"""The first page after sign-in: where the estate stands, what waits for somebody, what is under way."""

from __future__ import annotations

from typing import Any

from apps.actions.queries import actions_needing_approval
from apps.catalog.models import ImportRun, Policy
from apps.core.pagination import bounded_count
from apps.findings.emptiness import why_no_violations
from apps.findings.models import PolicyException, ScanRun
from apps.jobs.models import FINISHED, Job
from apps.tenancy.pages import PlainPage

from ..posture import posture


class Home(PlainPage):
    template_name = "desk/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        stand = posture()
        policies = Policy.objects.in_bulk([policy for policy, _ in stand.worst_policies])
        pending = PolicyException.objects.filter(status="pending").order_by("created_at", "id")
        return super().get_context_data(
            title="Overview",
            posture=stand,
            worst_policies=[(policies[pk], n) for pk, n in stand.worst_policies if pk in policies],
            pending=list(pending.select_related("policy", "resource", "created_by")[:5]),
            pending_count=bounded_count(pending)[0],
            waiting_actions=bounded_count(actions_needing_approval())[0],
            last_scan=ScanRun.objects.filter(kind="policy").order_by("-started_at", "-id").first(),
            imports=list(ImportRun.objects.order_by("-started_at", "-id")[:4]),
            running=list(Job.objects.exclude(status__in=FINISHED).order_by("-created_at", "-id")[:5]),
            emptiness=None if stand.open else why_no_violations(),
            **kwargs,
        )
