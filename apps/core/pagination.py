"""Keyset paging for pages, API and exports alike: page 40,000 costs what page 1 costs.

An ordering is a tuple of column names, all ascending or all descending, none nullable, ending in a unique
one. A page after a row is `(a, b, id) < (…)`, a row comparison that PostgreSQL answers from the index.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Value
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from .errors import InvalidInput

MAX_PAGE_SIZE = 500
COUNT_LIMIT = 10_000
T = TypeVar("T", bound=models.Model)


class _Row(Func):
    function = "ROW"
    output_field = models.BooleanField()


class _RowComparison(Func):
    template = "%(expressions)s"
    output_field = models.BooleanField()
    conditional = True


@dataclass(frozen=True)
class Page(Generic[T]):
    """Rows of one page and the cursors of its neighbours, None where there is no neighbour."""

    items: list[T]
    next: str | None
    previous: str | None


@dataclass(frozen=True)
class Keyset:
    """An ordering and how to step through it, e.g. `Keyset("-severity_rank", "-last_seen", "-id")`."""

    columns: tuple[str, ...]

    def __init__(self, *columns: str) -> None:
        directions = {c.startswith("-") for c in columns}
        if len(directions) != 1:
            raise ValueError(f"an ordering goes one way: {columns}")
        object.__setattr__(self, "columns", columns)

    def reversed(self) -> Keyset:
        """The same columns the other way round."""
        return Keyset(*(self._turned(column) for column in self.columns))

    @property
    def _names(self) -> list[str]:
        return [c.lstrip("-") for c in self.columns]

    @property
    def _descending(self) -> bool:
        return self.columns[0].startswith("-")

    def page(self, queryset: models.QuerySet[T], *, cursor: str | None, size: int) -> Page[T]:
        """The page that `cursor` names (the first without one); raises InvalidInput on a foreign cursor."""
        backwards, values = self._decode(queryset.model, cursor) if cursor else (False, None)
        if values is not None:
            operator = "<" if self._descending != backwards else ">"
            queryset = queryset.filter(self._compare(queryset.model, values, operator))
        ordering = [self._turned(c) if backwards else c for c in self.columns]
        rows = list(queryset.order_by(*ordering)[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        has_next = bool(rows) and (more or backwards)
        has_previous = bool(rows) and ((more and backwards) or (cursor is not None and not backwards))
        return Page(
            items=rows,
            next=self._encode(rows[-1], backwards=False) if has_next else None,
            previous=self._encode(rows[0], backwards=True) if has_previous else None,
        )

    def _fields(self, model: type[models.Model]) -> list[models.Field]:
        return [cast(models.Field, model._meta.get_field(name)) for name in self._names]

    @staticmethod
    def _turned(column: str) -> str:
        return column[1:] if column.startswith("-") else f"-{column}"

    def _compare(self, model: type[models.Model], values: Sequence[Any], operator: str) -> Func:
        fields = self._fields(model)
        return _RowComparison(
            _Row(*(F(name) for name in self._names)),
            _Row(*(Value(v, output_field=f) for v, f in zip(values, fields, strict=True))),
            arg_joiner=f" {operator} ",
        )

    def _encode(self, row: models.Model, *, backwards: bool) -> str:
        values = [getattr(row, name) for name in self._names]
        # `str` keeps microseconds, which DjangoJSONEncoder cuts off: rows of one millisecond would be skipped.
        raw = json.dumps([int(backwards), ",".join(self.columns), *values], default=str)
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    def _decode(self, model: type[models.Model], cursor: str) -> tuple[bool, list[Any]]:
        try:
            backwards, columns, *values = json.loads(
                base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            )
            if columns != ",".join(self.columns) or len(values) != len(self.columns):
                raise ValueError("of another list or ordering")
            if not all(_is_storable(v) for v in values):
                raise ValueError("not what an ordering's columns hold")
            fields = self._fields(model)
            return bool(backwards), [f.to_python(v) for f, v in zip(fields, values, strict=True)]
        except (
            ValueError,
            TypeError,
            OverflowError,
            RecursionError,
            binascii.Error,
            ValidationError,
        ) as error:
            raise InvalidInput("The cursor does not belong to this list.", field="cursor") from error


def _is_storable(value: Any) -> bool:
    """A cursor is the caller's text: PostgreSQL takes neither NUL nor lone surrogates, and no column is null."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def bounded_count(queryset: models.QuerySet[Any]) -> tuple[int, bool]:
    """(count, exact): exact up to COUNT_LIMIT; beyond it the count is COUNT_LIMIT and a lower bound."""
    count = queryset.order_by()[: COUNT_LIMIT + 1].count()
    return min(count, COUNT_LIMIT), count <= COUNT_LIMIT


def page_size(raw: str | None, default: int) -> int:
    try:
        size = int(raw) if raw else default
    except ValueError as error:
        raise InvalidInput("page_size must be a whole number.", field="page_size") from error
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise InvalidInput(f"page_size must be from 1 to {MAX_PAGE_SIZE}.", field="page_size")
    return size


class KeysetPagination(BasePagination):
    """DRF's face of `Keyset`: the view names its `keyset`; `?cursor=` and `?page_size=`."""

    page: Page[Any]
    default_size = 50

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        size = page_size(request.query_params.get("page_size"), self.default_size)
        self.page = view.keyset.page(queryset, cursor=request.query_params.get("cursor"), size=size)
        return self.page.items

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self._link(self.page.next), "previous": self._link(self.page.previous), "results": data}
        )

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        query = self.request.query_params.copy()
        query["cursor"] = cursor
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": self.default_size}
        return [
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
            {"name": "page_size", "in": "query", "required": False, "schema": size},
        ]
