"""`?as_of=`: a list or a page as it was at the end of a past day."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.core.errors import InvalidInput
from apps.core.filters import DayFilter

from .history import AsOf, as_of_day, database_now


class PastDayField(forms.DateField):
    """A day up to today, in UTC."""

    def clean(self, value: Any) -> dt.date | None:
        day: dt.date | None = super().clean(value)
        if day is not None and day > dt.datetime.now(dt.UTC).date():
            raise ValidationError(f"{day} is yet to come.")
        return day


class AsOfFilter(DayFilter):
    """A past day as of whose end the rows are told. It narrows nothing itself: the view asks for it."""

    field_class = PastDayField

    def __init__(self) -> None:
        super().__init__(help_text="As of the end of this day, UTC; without it, now")

    def filter(self, qs: Any, value: Any) -> Any:
        return qs


def asked_day(raw: str | None) -> AsOf | None:
    """The day that a query parameter names, None without one. Raises InvalidInput (field as_of)."""
    if not raw:
        return None
    try:
        day = dt.date.fromisoformat(raw.strip())
    except ValueError as error:
        raise InvalidInput("A day is written as YYYY-MM-DD.", field="as_of") from error
    return as_of_day(day)


class AsOfPage:
    """For pages with the parameter: `as_of` is None for now, and where what is asked for is no past day (the
    filter says so)."""

    request: Any

    @cached_property
    def as_of(self) -> AsOf | None:
        try:
            return asked_day(self.request.GET.get("as_of"))
        except InvalidInput:
            return None

    @cached_property
    def before(self) -> dt.datetime:
        """The bound of what is told: everything up to this very transaction, unless a day is asked for."""
        return self.as_of.before if self.as_of else database_now() + dt.timedelta(microseconds=1)

    @property
    def is_now(self) -> bool:
        return self.as_of is None
