"""Filters of violations, recommendations, exceptions and scan runs."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q

from apps.catalog.filters import RUN_STATES
from apps.catalog.models import PROVIDERS, SEVERITIES, Control, Framework
from apps.core.db.fields import TransactionNow
from apps.core.filters import (
    ChoicesFilter,
    FlagFilter,
    LeastFilter,
    SearchFilter,
    StrictFilterSet,
    TextFilter,
    at_or_after,
    before,
)

from .as_of import AsOfFilter
from .expressions import ended_by_term, lapsed
from .models import (
    EXCEPTION_STATES,
    RECOMMENDATION_KINDS,
    RECOMMENDATION_STATES,
    VIOLATION_STATES,
    PolicyException,
    Recommendation,
    ScanRun,
    ViolationColumns,
    ViolationEvent,
)
from .posture.judging import STATES as CONTROL_STATES


def _open() -> Q:
    return Q(status="open") | lapsed()


def _suppressed() -> Q:
    return Q(status="suppressed") & ~lapsed()


def in_force() -> Q:
    """Approved and not past its term, by the database's clock."""
    return Q(status="approved") & (Q(expires_at__isnull=True) | Q(expires_at__gt=TransactionNow()))


class ViolationFilter(StrictFilterSet):
    shown_status = ChoicesFilter(
        VIOLATION_STATES,
        {"open": _open, "suppressed": _suppressed},
        field_name="status",
        help_text="The status as people see it: a suppression whose term is over reads as open",
    )
    status = ChoicesFilter(VIOLATION_STATES, field_name="status", help_text="The status as stored")
    severity = ChoicesFilter(SEVERITIES, field_name="severity")
    policy = TextFilter("policy_id", help_text="Id of a policy")
    resource = TextFilter("resource_id", help_text="Id of a resource")
    provider = ChoicesFilter(PROVIDERS, field_name="resource__provider")
    type = TextFilter("resource__type", help_text="The resource's type, whole")
    account = TextFilter("resource__account", help_text="The resource's account")
    source = TextFilter(
        "source", help_text="policy for our own scans, or the tool that said so, e.g. prowler"
    )
    first_seen_after = at_or_after("first_seen")
    first_seen_before = before("first_seen")
    last_seen_after = at_or_after("last_seen")
    last_seen_before = before("last_seen")

    class Meta:
        # Of the records as well as of the current ones alone.
        model = ViolationColumns
        fields: list[str] = []


class RecommendationFilter(StrictFilterSet):
    status = ChoicesFilter(RECOMMENDATION_STATES, field_name="status")
    kind = ChoicesFilter(RECOMMENDATION_KINDS, field_name="kind")
    severity = ChoicesFilter(SEVERITIES, field_name="severity")
    least = LeastFilter("savings", help_text="It saves this amount a month or more")
    rule = TextFilter("rule")
    source = TextFilter("source", help_text="The tool that said so; empty for our own")
    resource = TextFilter("resource_id", help_text="Id of a resource")
    search = SearchFilter(("title",), help_text="The title contains this")

    class Meta:
        model = Recommendation
        fields: list[str] = []


class ExceptionFilter(StrictFilterSet):
    status = ChoicesFilter(EXCEPTION_STATES, field_name="status", help_text="The status as stored")
    shown_status = ChoicesFilter(
        EXCEPTION_STATES,
        {
            "pending": lambda: Q(status="pending") & ~ended_by_term(),
            "approved": lambda: Q(status="approved") & ~ended_by_term(),
            "expired": lambda: Q(status="expired") | ended_by_term(),
        },
        field_name="status",
        help_text="The status as people see it: expired as soon as its term is over",
    )
    closable = FlagFilter(
        lambda: in_force() & Q(idle_since__isnull=False),
        help_text="true: in force, and everything that it covered passes by now",
    )
    renews = django_filters.UUIDFilter("renews_id", help_text="Id of the exception that it continues")
    in_force = FlagFilter(in_force, help_text="true: approved and not past its term; false: the others")
    policy = TextFilter("policy_id", help_text="Id of a policy")
    resource = TextFilter("resource_id", help_text="Id of a resource")
    requester = django_filters.UUIDFilter("created_by_id", help_text="Id of the user who asked")
    expires_before = before("expires_at")
    created_after = at_or_after("created_at")
    created_before = before("created_at")

    class Meta:
        model = PolicyException
        fields: list[str] = []


class ScanRunFilter(StrictFilterSet):
    kind = ChoicesFilter(("policy", "finops", "security"), field_name="kind")
    mode = ChoicesFilter(("full", "incremental"), field_name="mode")
    status = ChoicesFilter(RUN_STATES, field_name="status")
    started_after = at_or_after("started_at")
    started_before = before("started_at")

    class Meta:
        model = ScanRun
        fields: list[str] = []


class FrameworkFilter(StrictFilterSet):
    as_of = AsOfFilter()

    class Meta:
        model = Framework
        fields: list[str] = []


class StateOfControl(ChoicesFilter):
    """A control's state is judged, not stored: the view narrows by it."""

    def filter(self, qs: Any, value: Any) -> Any:
        return qs


class ControlFilter(StrictFilterSet):
    state = StateOfControl(CONTROL_STATES)
    search = SearchFilter(("title", "label"), help_text="The title or label contains this")
    as_of = AsOfFilter()

    class Meta:
        model = Control
        fields: list[str] = []


class PastViolationFilter(StrictFilterSet):
    as_of = AsOfFilter()
    shown_status = ChoicesFilter(
        ("open", "suppressed"), field_name="shown_status", help_text="As people saw it then"
    )
    severity = ChoicesFilter(SEVERITIES, field_name="severity", help_text="As it was then")
    policy = TextFilter("policy_id", help_text="Id of a policy")
    resource = TextFilter("resource_id", help_text="Id of a resource")

    class Meta:
        model = ViolationEvent
        fields: list[str] = []


class PastExceptionFilter(StrictFilterSet):
    as_of = AsOfFilter()
    then = ChoicesFilter(EXCEPTION_STATES, field_name="then", help_text="What it was then")
    policy = TextFilter("policy_id", help_text="Id of a policy")
    resource = TextFilter("resource_id", help_text="Id of a resource")

    class Meta:
        model = PolicyException
        fields: list[str] = []
