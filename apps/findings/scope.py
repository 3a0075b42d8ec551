"""What an exception speaks of: a policy, a resource, both, or whatever passes the filters of the violation list.

A filtered set is stored as its filters, frozen as they were when it was asked for, and not as a list of rows:
`selector` = {severity: [..], provider: [..], type, account, first_seen_after, first_seen_before, later}. With
`later` it also covers violations that come to match afterwards; without, only those that had been seen by the
time it was asked for. Whether a row still matches is judged anew by every scan, so a violation that turns
critical leaves an exception for low ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from apps.catalog.models import Policy, Resource
from apps.core.errors import InvalidInput

from .filters import ViolationFilter
from .models import PolicyException, Violation
from .queries import violations
from .selectors import CHOICES, KEYS, TEXTS, TIMES, words_of_scope

# Filters of the list that can't be frozen: the first two say "open", which an exception is about anyway.
OF_STATE = ("shown_status", "status")

Selector = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """`asked_at` bounds a selector without `later`; None stands for now."""

    policy: Policy | None = None
    resource: Resource | None = None
    selector: Mapping[str, Any] | None = None
    asked_at: datetime | None = None

    @classmethod
    def of(cls, exception: PolicyException) -> Scope:
        return cls(exception.policy, exception.resource, exception.selector, exception.created_at)

    def violations(self) -> QuerySet[Violation]:
        """The violations that it speaks of, in any state. Raises InvalidInput where it speaks of nothing."""
        if self.policy is None and self.resource is None and self.selector is None:
            raise InvalidInput(
                "An exception is for a policy, a resource, both, or a filtered set.", field="policy"
            )
        found = violations()
        if self.policy is not None:
            found = found.filter(policy=self.policy)
        if self.resource is not None:
            found = found.filter(resource=self.resource)
        return found.filter(self._selected()) if self.selector is not None else found

    def _selected(self) -> Q:
        selector = self.selector or {}
        found = Q()
        for key, path in CHOICES.items():
            if key in selector:
                found &= Q(**{f"{path}__in": selector[key]})
        for key, path in TEXTS.items():
            if key in selector:
                found &= Q(**{path: selector[key]})
        for key, path in TIMES.items():
            if key in selector:
                found &= Q(**{path: selector[key]})
        if not selector.get("later"):
            found &= Q(first_seen__lte=self.asked_at or timezone.now())
        return found

    def words(self) -> str:
        """For people."""
        return words_of_scope(self.policy, self.resource, self.selector)


def scope_of_filters(filters: Mapping[str, Any] | QueryDict, *, later: bool) -> Scope:
    """The scope of the violation list's filters. Raises InvalidInput naming the filter that is wrong, that
    can't be frozen, or `filters` where none would be left.
    """
    data = _as_query(filters)
    filterset = ViolationFilter(data, queryset=Violation.objects.none())
    unknown = filterset.unknown()
    if unknown:
        raise InvalidInput(f"The violation list has no filter {unknown[0]}.", field=unknown[0])
    if not filterset.is_valid():
        name, errors = next(iter(filterset.errors.items()))
        raise InvalidInput(f"{name}: {' '.join(errors)}", field=name)
    clean = {
        name: value for name, value in filterset.form.cleaned_data.items() if value not in (None, "", [])
    }
    for name in OF_STATE:
        if set(clean.pop(name, ["open"])) - {"open"}:
            raise InvalidInput("An exception is for open violations.", field=name)
    policy, resource = _named(Policy, clean, "policy"), _named(Resource, clean, "resource")
    selector: Selector = {}
    for name, value in clean.items():
        if name not in KEYS:
            raise InvalidInput(
                f"{name} changes with time and can't bound an exception: leave this filter out.", field=name
            )
        selector[name] = _stored(value)
    if not selector and policy is None and resource is None:
        raise InvalidInput("Filter the list first: an exception is never for everything.", field="filters")
    return Scope(policy, resource, {**selector, "later": later})


def _as_query(filters: Mapping[str, Any] | QueryDict) -> QueryDict:
    if isinstance(filters, QueryDict):
        return filters
    data = QueryDict(mutable=True)
    for name, value in filters.items():
        data.setlist(str(name), [str(v) for v in value] if isinstance(value, list) else [str(value)])
    return data


def _named(model: Any, clean: dict[str, Any], name: str) -> Any:
    pk = clean.pop(name, None)
    if pk is None:
        return None
    found = model.objects.filter(pk=pk).first()
    if found is None:
        raise InvalidInput(f"There is no {name} {pk}.", field=name)
    return found


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return sorted(value) if isinstance(value, list) else value
