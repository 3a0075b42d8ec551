"""Filters of the approval queue that are no plain column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.catalog.models import SEVERITIES

from ..expressions import ended_by_term, lapsed
from ..filters import in_force
from ..models import EXCEPTION_STATES


class RiskFilter(SimpleListFilter):
    """By the risk that the queue is ordered by; decided exceptions have none any more."""

    title = "risk"
    parameter_name = "risk"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(severity, severity.capitalize()) for severity in reversed(SEVERITIES)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value not in SEVERITIES:
            return queryset
        return queryset.filter(status="pending", risk=SEVERITIES.index(value) + 1)


class AskedByFilter(SimpleListFilter):
    """What I may decide on, and what I asked for myself."""

    title = "asked by"
    parameter_name = "asked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("others", "Others (mine to decide)"), ("me", "Me")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "me":
            return queryset.filter(created_by=request.user.pk)
        if self.value() == "others":
            return queryset.exclude(created_by=request.user.pk)
        return queryset


class ShownStatusFilter(SimpleListFilter):
    """The status that people see: a lapsed exception's violations are open, swept or not."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("open", "Open"), ("suppressed", "Excepted"), ("fixed", "Fixed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "open":
            return queryset.filter(Q(status="open") | lapsed())
        if value == "suppressed":
            return queryset.filter(status="suppressed").exclude(lapsed())
        return queryset.filter(status="fixed") if value == "fixed" else queryset


class ShownExceptionFilter(SimpleListFilter):
    """The status that people see: an exception is expired as soon as its term is over."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        closable = ("closable", "Covers nothing any more")
        return [*((state, state.capitalize()) for state in EXCEPTION_STATES), closable]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "closable":
            return queryset.filter(in_force(), idle_since__isnull=False)
        if value == "expired":
            return queryset.filter(Q(status="expired") | ended_by_term())
        return (
            queryset.filter(status=value).exclude(ended_by_term()) if value in EXCEPTION_STATES else queryset
        )
