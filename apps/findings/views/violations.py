"""Violations: the list, the latest open of each resource, and one with all that happened to it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict

from apps.catalog.models import Policy, Resource
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.pages import DetailPage, ListPage

from ..emptiness import why_no_violations
from ..filters import ViolationFilter
from ..forms import ExceptionForm
from ..models import OWN_SOURCE, PolicyException, Violation, ViolationEvent
from ..ocsf import FORMAT as OCSF
from ..ocsf import OCSF_LINES, with_documents
from ..queries import latest_open_violations, occurrences_before, violation_records
from ..scope import OF_STATE
from ..services.exception_rules import exception_rules
from ..services.explaining import explain_violation
from .past import PastViolationList


def _with_names(rows: QuerySet[Any]) -> QuerySet[Any]:
    """With policy and resource in the same query, without the documents that no list shows."""
    heavy = ("policy__metadata", "policy__parameters", "resource__tags")
    return rows.select_related("policy", "resource").defer(*heavy)


def _reason(row: Violation) -> str:
    policy = row.policy.name if row.policy is not None else "the policy is gone"
    return cells.link(row.reason, "findings:violation-detail", row.pk, note=policy)


def _resource(row: Violation) -> str:
    if row.resource is None:
        return cells.NOTHING
    return cells.link(row.resource.name, "catalog:resource-detail", row.resource_id, note=row.resource.type)


VIOLATION_COLUMNS = (
    Column("severity", "Severity", cell=lambda v: cells.severity(v.severity), sort="worst"),
    Column("resource", "Resource", value=lambda v: v.resource and v.resource.name, cell=_resource, css="wide"),
    Column("reason", "Why, and by which policy", cell=_reason, css="main"),
    Column("policy", "Policy", value=lambda v: v.policy and v.policy.name, shown=False),
    Column("status", "Status", value=lambda v: v.shown_status, cell=lambda v: cells.status(v.shown_status)),
    Column("first_seen", "First seen", cell=lambda v: cells.moment(v.first_seen), css="when"),
    Column("last_seen", "Last seen", cell=lambda v: cells.moment(v.last_seen), sort="recent", css="when"),
    Column("id", "Id", shown=False),
    Column("policy_id", "Policy id", shown=False),
    Column("resource_id", "Resource id", shown=False),
    Column("native_id", "Cloud id", shown=False, value=lambda v: v.resource and v.resource.display_id),
    Column("resource_type", "Type", shown=False, value=lambda v: v.resource and v.resource.type),
    Column("account", "Account", shown=False, value=lambda v: v.resource and v.resource.account),
    Column("source", "Found by", shown=False),
    Column("suppressed_until", "Excepted until", shown=False),
    Column("fixed_at", "Fixed at", shown=False),
)  # fmt: skip


class ViolationList(ListPage):
    """The violations of now; with `?as_of=`, those that stood at the end of that day."""

    name = "findings.violations"
    template_name = "findings/violation_list.html"
    title = "Violations"
    lead = "Resources that break a policy, as the last scan found them."
    follow = Step("actions:propose-violations", "Ask for the remediation of these", "request")
    filterset_class = ViolationFilter
    primary = ("shown_status", "severity", "provider")
    unlisted = ("status", "policy", "resource")
    labels = {
        "source": "Found by",
        "shown_status": "Status",
        "provider": "Cloud",
        "type": "Resource type",
        "policy": "Policy id",
        "resource": "Resource id",
    }
    sorts = (
        Sort("worst", "Worst first", Keyset("-severity_rank", "-last_seen", "-id")),
        Sort("recent", "Seen last first", Keyset("-last_seen", "-id")),
        Sort("mildest", "Mildest first", Keyset("severity_rank", "last_seen", "id")),
        Sort("stale", "Longest unseen first", Keyset("last_seen", "id")),
    )
    columns = VIOLATION_COLUMNS
    line_formats = {OCSF: OCSF_LINES}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("as_of"):
            return PastViolationList.as_view()(request, *args, **kwargs)
        return super().get(request, *args, **kwargs)

    def rows(self) -> QuerySet[Any]:
        if self.request.GET.get("export") == OCSF:
            return with_documents(violation_records())
        return _with_names(violation_records())

    def empty(self) -> Emptiness:
        return why_no_violations()

    def extra_context(self) -> dict[str, Any]:
        """The policy and the resource that the list is narrowed to, by name."""
        return {
            "narrowed_policy": Policy.objects.filter(pk=self.request.GET["policy"]).first()
            if self.request.GET.get("policy")
            else None,
            "narrowed_resource": Resource.objects.filter(pk=self.request.GET["resource"]).first()
            if self.request.GET.get("resource")
            else None,
            "set_query": self._set_query(),
        }

    def _set_query(self) -> str:
        """The filters as an exception for all that pass them would have them; "" where there are none."""
        query = QueryDict(mutable=True)
        for name, values in self.active_filters.items():
            if name not in OF_STATE:
                query.setlist(name, values)
        return "" if self.problems else query.urlencode()


class LatestOpenList(ListPage):
    """Specification 3.5, the first sample query: of each resource the open violations seen last."""

    name = "findings.latest_open"
    title = "Latest open violations"
    lead = "For each resource the open violations that were seen last, worst first."
    filterset_class = ViolationFilter
    primary = ("severity", "provider")
    unlisted = ("status", "shown_status", "policy", "resource")
    labels = ViolationList.labels
    sorts = (
        Sort("worst", "Worst first", Keyset("-severity_rank", "-last_seen", "-id")),
        Sort("recent", "Seen last first", Keyset("-last_seen", "-id")),
    )
    columns = VIOLATION_COLUMNS

    def rows(self) -> QuerySet[Any]:
        return _with_names(latest_open_violations())

    def empty(self) -> Emptiness:
        return why_no_violations()


class ViolationDetail(DetailPage):
    template_name = "findings/violation_detail.html"

    def get_queryset(self) -> QuerySet[Any]:
        return violation_records().select_related("policy", "resource")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        violation: Any = self.object
        covering = None
        if violation.exception_id and violation.shown_status == "suppressed":
            people = ("created_by", "decided_by")
            covering = (
                PolicyException.objects.select_related(*people).filter(pk=violation.exception_id).first()
            )
        rules, explained = exception_rules(), None
        if violation.source == OWN_SOURCE and violation.policy is not None and violation.resource is not None:
            explained = explain_violation(violation=violation)
        return super().get_context_data(
            title="Violation",
            explained=explained,
            covering=covering,
            pending=self._pending(violation),
            earlier=occurrences_before(violation)[:20],
            events=ViolationEvent.objects.filter(violation_id=violation.pk).order_by("-id")[:100],
            form=ExceptionForm(
                initial={"policy": violation.policy_id, "resource": violation.resource_id},
                endless=rules.endless,
            ),
            rules=rules,
            **kwargs,
        )

    @staticmethod
    def _pending(violation: Violation) -> PolicyException | None:
        """A request that somebody has already made for just this."""
        return (
            PolicyException.objects.select_related("created_by")
            .filter(status="pending", policy_id=violation.policy_id, resource_id=violation.resource_id)
            .first()
        )
