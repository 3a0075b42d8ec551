"""Search over resources and policies, by name or id."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from apps.catalog.models import Policy, Resource
from apps.core.filters import MIN_SEARCH, StartsWith
from apps.tenancy.pages import PlainPage

SHOWN = 20
LONGEST = 500


class Search(PlainPage):
    """What is equal or begins so comes first, from an index; then what contains it, as far as it is found."""

    template_name = "desk/search.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        text = self.request.GET.get("q", "").strip()[:LONGEST]
        found: dict[str, Any] = {"resources": [], "policies": []}
        if len(text) >= MIN_SEARCH:
            found = {"resources": self._resources(text), "policies": self._policies(text)}
        return super().get_context_data(
            title="Search", q=text, shown=SHOWN, shortest=MIN_SEARCH, asked=bool(text), **found, **kwargs
        )

    @staticmethod
    def _resources(text: str) -> list[Resource]:
        begins = Q(pk=text) | Q(StartsWith("native_id", text)) | Q(StartsWith("name", text))
        contains = Q(name__icontains=text) | Q(native_id__icontains=text)
        return _two_steps(Resource.objects.order_by("name", "id"), begins, contains)

    @staticmethod
    def _policies(text: str) -> list[Policy]:
        begins = Q(pk=text) | Q(StartsWith("name", text)) | Q(metadata__provider_id=text)
        return _two_steps(Policy.objects.order_by("name", "id"), begins, Q(name__icontains=text))


def _two_steps(rows: Any, begins: Q, contains: Q) -> list[Any]:
    first = list(rows.filter(begins)[: SHOWN + 1])
    if len(first) > SHOWN:
        return first
    rest = rows.filter(contains).exclude(pk__in=[row.pk for row in first])
    return first + list(rest[: SHOWN + 1 - len(first)])
