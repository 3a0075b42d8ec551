"""What every list's filters share. A room declares one FilterSet per model; pages, admin, exports and API use it.

Under row-level security only leakproof operators reach an index (`=`, comparisons of text, times and uuids,
`starts_with`), so text is searched by prefix where a list may be long, and states are compared as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Collate
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django_filters.fields import IsoDateTimeField

MAX_TEXT = 1000
MIN_SEARCH = 3
# JSON Schemas of the parameters, for the API's description of itself.
TEXT_SCHEMA = {"type": "string", "maxLength": MAX_TEXT, "pattern": r"^[^\x00]*$"}


class StartsWith(models.Func):
    """`starts_with(column, prefix)` in C collation: leakproof, and answered from a btree in that collation."""

    function = "starts_with"
    output_field = models.BooleanField()

    def __init__(self, column: str, prefix: str) -> None:
        super().__init__(Collate(F(column), "C"), Value(prefix, output_field=models.TextField()))


class TextField(forms.CharField):
    """Bounded text without NUL, which PostgreSQL can't hold; blanks at the ends are kept out."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_TEXT)
        super().__init__(**kwargs)


class PrefixFilter(django_filters.Filter):
    """Begins with these characters, as written: case counts."""

    field_class = TextField
    schema = TEXT_SCHEMA

    def filter(self, qs: Any, value: str) -> Any:
        return qs.filter(StartsWith(self.field_name, value)) if value else qs


class SearchFilter(django_filters.Filter):
    """Contains these characters in any of `columns`, case aside; at least three of them.

    No index helps under row-level security: it reads the tenant's rows in the list's order until the page
    is full. Where a prefix is known, PrefixFilter answers at once.
    """

    field_class = TextField
    schema = {**TEXT_SCHEMA, "minLength": MIN_SEARCH}

    def __init__(self, columns: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**{"min_length": MIN_SEARCH} | kwargs)
        self.columns = tuple(columns)

    def filter(self, qs: Any, value: str) -> Any:
        if not value:
            return qs
        found = Q()
        for column in self.columns:
            found |= Q(**{f"{column}__icontains": value})
        return qs.filter(found)


class TextFilter(django_filters.Filter):
    """Equals this text."""

    field_class = TextField
    schema = TEXT_SCHEMA

    def filter(self, qs: Any, value: str) -> Any:
        return qs.filter(**{self.field_name: value}) if value else qs


class ChoicesFilter(django_filters.MultipleChoiceFilter):
    """One or more of a closed list: repeat the parameter, any of the values matches.

    `conditions` maps a value to a Q where it is not the column's own value.
    """

    def __init__(
        self, values: Sequence[str], conditions: Mapping[str, Callable[[], Q]] | None = None, **kwargs: Any
    ) -> None:
        choices = [(value, value.replace("_", " ").capitalize()) for value in values]
        super().__init__(choices=choices, distinct=False, **kwargs)
        self.conditions = conditions or {}
        self.schema = {"type": "array", "items": {"type": "string", "enum": list(values)}}

    def filter(self, qs: Any, value: Sequence[str]) -> Any:
        if not value:
            return qs
        plain = [v for v in value if v not in self.conditions]
        found = Q(**{f"{self.field_name}__in": plain}) if plain else Q()
        for name in value:
            if name in self.conditions:
                found |= self.conditions[name]()
        return qs.filter(found)


class TagsWidget(forms.TextInput):
    """Repeated `tag=key=value`; a form shows the first and carries the others along, hidden."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        values = data.getlist(name) if hasattr(data, "getlist") else data.get(name, [])
        return [values] if isinstance(values, str) else list(values)

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        first, *others = value or [""]
        shown = super().render(name, first, attrs, renderer)
        hidden = format_html_join(
            "", '<input type="hidden" name="{}" value="{}">', ((name, v) for v in others)
        )
        return shown + hidden


class TagsField(forms.Field):
    """[(key, value or None), …] of `key=value` (the tag has the value) or `key` (the tag is there)."""

    widget = TagsWidget

    def to_python(self, value: Any) -> list[tuple[str, str | None]]:
        return [self._parse(text.strip()) for text in value or [] if text.strip()]

    @staticmethod
    def _parse(text: str) -> tuple[str, str | None]:
        ProhibitNullCharactersValidator()(text)
        if len(text) > MAX_TEXT:
            raise ValidationError(f"A tag has at most {MAX_TEXT} characters.")
        key, equals, value = text.partition("=")
        if not key:
            raise ValidationError("Write a tag as key=value, or as a key alone.")
        return key, value if equals else None


class TagFilter(django_filters.Filter):
    """`tag=key=value`, or `tag=key` for any value; repeated, all must hold."""

    field_class = TagsField
    schema = {"type": "array", "items": {**TEXT_SCHEMA, "pattern": r"^[^\x00=][^\x00]*$"}}

    def filter(self, qs: Any, value: list[tuple[str, str | None]]) -> Any:
        for key, wanted in value or []:
            if wanted is None:
                qs = qs.filter(**{f"{self.field_name}__has_key": key})
            else:
                qs = qs.filter(**{f"{self.field_name}__contains": {key: wanted}})
        return qs


class FlagField(forms.TypedChoiceField):
    """`true` or `false`; anything else is an error rather than ignored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            choices=[("", "Any"), ("true", "Yes"), ("false", "No")],
            coerce=lambda text: text == "true",
            empty_value=None,
            **kwargs,
        )


class FlagFilter(django_filters.Filter):
    """Whether `condition` holds: `true` keeps the rows for which it does, `false` the others."""

    field_class = FlagField
    schema = {"type": "boolean"}

    def __init__(self, condition: Callable[[], Q], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.condition = condition

    def filter(self, qs: Any, value: bool | None) -> Any:
        if value is None:
            return qs
        return qs.filter(self.condition()) if value else qs.exclude(self.condition())


class InstantField(IsoDateTimeField):
    """In UTC whatever zone was written: PostgreSQL refuses offsets of sixteen hours and more."""

    def to_python(self, value: Any) -> datetime | None:
        found: datetime | None = super().to_python(value)
        try:
            return found.astimezone(UTC) if found is not None else None
        except OverflowError as error:
            raise ValidationError("This instant is out of range.") from error


class LeastFilter(django_filters.NumberFilter):
    """Rows whose amount is this or more, up or down: exact decimals, never a float."""

    schema = {"type": "string", "format": "decimal"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 0)
        super().__init__(*args, **kwargs)

    def filter(self, qs: Any, value: Decimal | None) -> Any:
        if value is None:
            return qs
        name = self.field_name
        return qs.filter(Q(**{f"{name}__gte": value}) | Q(**{f"{name}__lte": -value}))


class TimeFilter(django_filters.IsoDateTimeFilter):
    """An instant, ISO 8601, in UTC where it names no zone; a date alone is its first instant."""

    field_class = InstantField

    schema = {"type": "string", "format": "date-time"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateTimeInput(attrs={"type": "datetime-local"}))
        super().__init__(*args, **kwargs)


class DayFilter(django_filters.DateFilter):
    """A day, as YYYY-MM-DD."""

    schema = {"type": "string", "format": "date"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateInput(attrs={"type": "date"}))
        super().__init__(*args, **kwargs)


class StrictFilterSet(django_filters.FilterSet):
    """A filter set that can say which parameters it does not know."""

    @classmethod
    def parameters(cls) -> frozenset[str]:
        """The names of every query parameter this set understands."""
        return frozenset(cls.base_filters)

    def unknown(self, besides: Sequence[str] = ()) -> list[str]:
        """Parameters of the request that neither this set nor `besides` knows, sorted."""
        return sorted(set(self.data or {}) - self.parameters() - set(besides))


def at_or_after(field: str) -> TimeFilter:
    return TimeFilter(field, "gte", help_text=f"{field} at or after this instant")


def before(field: str) -> TimeFilter:
    return TimeFilter(field, "lt", help_text=f"{field} before this instant")
