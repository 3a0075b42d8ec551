"""The two expressions that every list, count, API and report takes from here."""

from __future__ import annotations

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce

from apps.catalog.models import SEVERITIES
from apps.core.db.fields import TransactionNow


def severity_rank(column: str = "severity") -> Case:
    """low 1 … critical 4, 0 for anything else; as text the order would put medium first."""
    return Case(
        *(When(**{column: severity}, then=Value(rank)) for rank, severity in enumerate(SEVERITIES, start=1)),
        default=Value(0),
        output_field=models.SmallIntegerField(),
    )


def lapsed() -> Q:
    """Suppressed, but the exception's term is over by the database's clock: open again, swept or not."""
    return Q(status="suppressed", suppressed_until__lte=TransactionNow())


def effective_status() -> Case:
    """The status that people see: a lapsed suppression reads as open before any job has swept it."""
    return Case(When(lapsed(), then=Value("open")), default=F("status"), output_field=models.TextField())


def closed_at() -> Coalesce:
    """When a fixed violation was closed; raw SQL may have said `fixed` without the moment."""
    return Coalesce("fixed_at", "last_seen")


def ended_by_term() -> Q:
    """An exception or a request for one whose term is over by the database's clock, swept or not."""
    return Q(status__in=["pending", "approved"], expires_at__lte=TransactionNow())


def shown_exception_status() -> Case:
    """The status of an exception that people see: expired as soon as its term is over."""
    return Case(
        When(ended_by_term(), then=Value("expired")), default=F("status"), output_field=models.TextField()
    )
