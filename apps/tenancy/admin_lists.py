"""Lists that stay usable at millions of rows: counts with a bound, filters and searches that an index answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

from apps.core.filters import StartsWith
from apps.core.pagination import bounded_count


class BoundedPaginator(Paginator):
    """Counts up to a bound and pages no further: neither the count nor an OFFSET grows with the table."""

    template_name = "admin/desk/pagination.html"

    @cached_property
    def _bounded(self) -> tuple[int, bool]:
        rows = self.object_list
        return bounded_count(rows) if isinstance(rows, models.QuerySet) else (len(rows), True)

    @cached_property
    def count(self) -> int:
        return self._bounded[0]

    @property
    def is_exact(self) -> bool:
        return self._bounded[1]


class DeskChangeList(ChangeList):
    """Hands the page's rows to the model admin once, so that what a row shows is read for all rows at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)  # type: ignore[has-type]
        self.result_list = rows
        # Known to be no more than the bounded count: else the page offers to "show all" of it.
        self.full_result_count = self.result_count
        self.model_admin.prepare_rows(request, rows)


def choice_filter(field: str, choices: Sequence[str], *, name: str | None = None) -> type[SimpleListFilter]:
    """A filter over stated values: Django's own would read them by SELECT DISTINCT over the whole table."""

    class ChoiceFilter(SimpleListFilter):
        title = name or field.replace("_", " ")
        parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
            return [(choice, choice.replace("_", " ").capitalize()) for choice in choices]

        def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    return ChoiceFilter


def search_condition(model: type[models.Model], fields: Iterable[str], term: str) -> Q:
    """Rows whose `field` equals the term, or for `^field` begins with it.

    Under row-level security only leakproof operators reach an index: `=` and `starts_with` do, LIKE does not.
    A term that a field can't hold (a word against a UUID) matches nothing there.
    """
    condition = Q(pk__in=())
    for field in fields:
        name, is_prefix = field.removeprefix("^"), field.startswith("^")
        try:
            value = _field(model, name).to_python(term)
        except ValidationError:
            continue
        if is_prefix:
            condition |= Q(StartsWith(name, value))
        else:
            condition |= Q(**{name: value})
    return condition


def _field(model: type[models.Model], path: str) -> Any:
    field: Any = None
    for part in path.split("__"):
        field = model._meta.get_field(part)
        model = getattr(field, "related_model", None) or model
    return field
