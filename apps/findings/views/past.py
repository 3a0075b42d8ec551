"""Violations and exceptions as of a past day."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.catalog.models import Policy, Resource
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.tenancy.pages import ListPage

from ..as_of import AsOfPage
from ..filters import PastExceptionFilter, PastViolationFilter
from ..history import exceptions_before, first_day, standing_before
from ..models import ViolationEvent


def _policy(row: Any) -> str:
    name = row.policy.name if row.policy is not None else "the policy is gone"
    return cells.link(name, "findings:violation-detail", row.violation_id, note=row.kind)


def _resource(row: Any) -> str:
    if row.resource is None:
        return cells.code(row.resource_id)
    return cells.link(row.resource.name, "catalog:resource-detail", row.resource_id, note=row.resource.type)


class PastViolationList(AsOfPage, ListPage):
    """What was open or excepted at the end of a day; what was fixed by then is not listed."""

    name = "findings.violations_as_of"
    title = "Violations on a past day"
    template_name = "findings/past_list.html"
    filterset_class = PastViolationFilter
    primary = ("as_of", "shown_status", "severity")
    unlisted = ("policy", "resource")
    labels = {"as_of": "As of the end of", "shown_status": "Status then", "severity": "Severity then"}
    sorts = (
        Sort("recent", "Changed last first", Keyset("-at", "-id")),
        Sort("oldest", "Standing longest first", Keyset("at", "id")),
    )
    columns = (
        Column("severity", "Severity", cell=lambda e: cells.severity(e.severity)),
        Column("resource", "Resource", value=lambda e: e.resource and e.resource.name, cell=_resource, css="wide"),
        Column("policy", "Policy, and what happened last", value=lambda e: e.policy and e.policy.name, cell=_policy,
               css="main"),
        Column("status", "Status then", value=lambda e: e.shown_status, cell=lambda e: cells.status(e.shown_status)),
        Column("since", "Since", value=lambda e: e.at, cell=lambda e: cells.moment(e.at), sort="recent", css="when"),
        Column("suppressed_until", "Excepted until", shown=False),
        Column("exception_id", "Exception id", shown=False),
        Column("violation_id", "Id", shown=False),
        Column("policy_id", "Policy id", shown=False),
        Column("resource_id", "Resource id", shown=False),
        Column("native_id", "Cloud id", shown=False, value=lambda e: e.resource and e.resource.display_id),
    )  # fmt: skip

    def rows(self) -> QuerySet[ViolationEvent]:
        return standing_before(self.before)

    def decorate(self, rows: list[Any]) -> None:
        policies = Policy.objects.defer("metadata", "parameters").in_bulk(
            {r.policy_id for r in rows if r.policy_id}
        )
        resources = Resource.objects.defer("tags").in_bulk({r.resource_id for r in rows if r.resource_id})
        for row in rows:
            row.policy, row.resource = policies.get(row.policy_id), resources.get(row.resource_id)

    def empty(self) -> Emptiness:
        return Emptiness("Nothing was open or excepted", "No violation stood at the end of that day.")

    def extra_context(self) -> dict[str, Any]:
        day = self.as_of.day if self.as_of else None
        return {
            "as_of": self.as_of,
            "title": f"Violations on {day}" if day else self.title,
            "first_day": first_day(),
        }


def _subject(row: Any) -> str:
    return str(row.words)


class PastExceptionList(AsOfPage, ListPage):
    """Exceptions that had been asked for by the end of a day, with what they were then."""

    name = "findings.exceptions_as_of"
    title = "Exceptions on a past day"
    template_name = "findings/past_list.html"
    filterset_class = PastExceptionFilter
    primary = ("as_of", "then")
    unlisted = ("policy", "resource")
    labels = {"as_of": "As of the end of", "then": "State then"}
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("subject", "What is excepted", value=_subject, css="main",
               cell=lambda e: cells.link(_subject(e), "findings:exception-detail", e.pk, note=e.reason)),
        Column("then", "State then", cell=lambda e: cells.status(e.then)),
        Column("requested_by", "Asked by", value=lambda e: e.created_by and str(e.created_by)),
        Column("decided_by", "Decided by", value=lambda e: e.decided_by and str(e.decided_by)
               if e.then in ("approved", "rejected", "expired") else None),
        Column("expires_at", "Ends", cell=lambda e: cells.moment(e.expires_at), css="when"),
        Column("created_at", "Asked", cell=lambda e: cells.moment(e.created_at), sort="recent", css="when"),
        Column("status", "State now", shown=False),
        Column("id", "Id", shown=False),
        Column("policy_id", "Policy id", shown=False),
        Column("resource_id", "Resource id", shown=False),
        Column("reason", "Reason", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return exceptions_before(self.before).select_related("policy", "resource", "created_by", "decided_by")

    def empty(self) -> Emptiness:
        return Emptiness("No exceptions", "Nobody had asked for one by the end of that day.")

    def extra_context(self) -> dict[str, Any]:
        day = self.as_of.day if self.as_of else None
        return {
            "as_of": self.as_of,
            "title": f"Exceptions on {day}" if day else self.title,
            "first_day": first_day(),
        }
