"""The first page after sign-in: where the estate stands, what waits for somebody, what is under way."""

from __future__ import annotations

from typing import Any

from apps.actions.queries import actions_needing_approval
from apps.catalog.models import ImportRun, Policy
from apps.core.pagination import bounded_count
from apps.findings.as_of import AsOfPage
from apps.findings.emptiness import why_no_violations
from apps.findings.history import counts_before, in_force_before
from apps.findings.models import PolicyException, ScanRun
from apps.jobs.models import FINISHED, Job
from apps.tenancy.pages import PlainPage

from ..posture import posture


class Home(AsOfPage, PlainPage):
    """Now; with `?as_of=` the counts and the exceptions in force as they were at the end of that day."""

    template_name = "desk/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        stand = posture() if self.as_of is None else posture(counts=counts_before(self.before))
        policies = Policy.objects.in_bulk([policy for policy, _ in stand.worst_policies])
        pending = PolicyException.objects.filter(status="pending").order_by("created_at", "id")
        return super().get_context_data(
            title="Overview",
            as_of=self.as_of,
            in_force=self._in_force(),
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

    def _in_force(self) -> int:
        """How many exceptions were in force at the end of the day that is asked for; 0 for now."""
        return bounded_count(in_force_before(self.before))[0] if self.as_of else 0
