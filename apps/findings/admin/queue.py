"""The order of the approval queue: what waits for me first, worst risk and longest wait on top."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Case, F, Max, OuterRef, Q, Subquery, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from ..expressions import severity_rank
from ..models import PolicyException, Violation

PENDING = Q(status="pending")

# Under a request: the policy's severity; for a whole resource the worst that is open on it.
_WORST_OPEN = Subquery(
    Violation.objects.filter(resource=OuterRef("resource_id"), status="open")
    .order_by()
    .values("resource")
    .annotate(worst=Max("severity_rank"))
    .values("worst")
)


def queue_order(user_id: uuid.UUID | None) -> list[Any]:
    """For `order_by`, on rows of `with_risk()`. Decided ones follow, latest first."""
    small: models.Field = models.SmallIntegerField()
    return [
        Case(When(PENDING, then=Value(0)), default=Value(1), output_field=small).asc(),
        Case(
            When(PENDING & Q(created_by=user_id), then=Value(1)), default=Value(0), output_field=small
        ).asc(),
        F("risk").desc(),
        Case(When(PENDING, then=F("created_at"))).asc(nulls_last=True),
        Case(When(PENDING, then=F("id"))).asc(nulls_last=True),
        F("created_at").desc(),
        F("id").desc(),
    ]


def with_risk(queryset: models.QuerySet[PolicyException]) -> models.QuerySet[PolicyException]:
    """Annotates `risk`: severity_rank 1 to 4 of a pending exception, 0 of others and of unknown risk."""
    risk = Case(
        When(PENDING & Q(selector__isnull=False), then=severity_rank("asked_risk")),
        When(PENDING & Q(policy__isnull=False), then=severity_rank("policy__severity")),
        When(PENDING & Q(resource__isnull=False), then=Coalesce(_WORST_OPEN, Value(0))),
        default=Value(0),
        output_field=models.SmallIntegerField(),
    )
    # A filtered set's is what it was when it was asked for: to count it anew for every row costs a scan each.
    return queryset.annotate(asked_risk=KeyTextTransform("risk", "subject")).annotate(risk=risk)
