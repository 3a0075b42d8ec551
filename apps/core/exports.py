"""Exports of a list: everything that is filtered, streamed in batches, in flat memory, never cut.

A streaming response outlives the request's transaction, so each batch is read in a short one of its own. The
batches are not one snapshot: a row that changes while the export runs may show either of its states.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.http import StreamingHttpResponse
from django.utils import timezone

from .columns import Column, csv_cell, json_value
from .context import current, current_tenant_id, scope, tenant_transaction
from .errors import InvalidInput
from .pagination import Keyset
from .recording import record

BATCH = 1000
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True)
class LineFormat:
    """A format of a list's own, a line of JSON for each row: `lines` makes them of the rows of a batch."""

    label: str
    suffix: str
    lines: Callable[[Iterable[Any]], Iterator[str]]
    content_type: str = "application/x-ndjson"


@dataclass(frozen=True)
class Export:
    """What is exported: `name` is the list's, e.g. "findings.violations"; `filters` is what the URL said.
    `line_formats` are the list's own formats beside CSV and JSON."""

    name: str
    queryset: models.QuerySet[Any]
    keyset: Keyset
    columns: Sequence[Column]
    filters: dict[str, list[str]]
    decorate: Callable[[list[Any]], None]
    line_formats: Mapping[str, LineFormat] = field(default_factory=dict)

    def response(self, format_: str) -> StreamingHttpResponse:
        """Raises InvalidInput for a format that there is not."""
        own = self.line_formats.get(format_)
        if format_ not in CONTENT_TYPES and own is None:
            *most, last = [*CONTENT_TYPES, *self.line_formats]
            raise InvalidInput(f"An export is {', '.join(most)} or {last}.", field="export")
        record(f"{self.name}.exported", None, {"format": format_, "filters": self.filters})
        body = self._lines(own) if own else self._csv() if format_ == "csv" else self._json()
        content_type = own.content_type if own else CONTENT_TYPES[format_]
        response = StreamingHttpResponse(_within(current(), body), content_type=content_type)
        stamp = timezone.now().strftime("%Y%m%dT%H%M%SZ")
        suffix = own.suffix if own else format_
        filename = f"{self.name.replace('.', '-')}-{stamp}.{suffix}"
        response["Content-Disposition"] = f'attachment; filename="{filename}"'
        response["Cache-Control"] = "no-store"
        return response

    def batches(self) -> Iterator[list[Any]]:
        cursor: str | None = None
        while True:
            with tenant_transaction(current_tenant_id()):
                page = self.keyset.page(self.queryset.all(), cursor=cursor, size=BATCH)
                self.decorate(page.items)
            yield page.items
            if page.next is None:
                return
            cursor = page.next

    def _csv(self) -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow([column.name for column in self.columns])
        rows = 0
        for batch in self.batches():
            writer.writerows([csv_cell(column.raw(row)) for column in self.columns] for row in batch)
            rows += len(batch)
            yield _take(buffer)
        self._finished(rows)

    def _lines(self, own: LineFormat) -> Iterator[str]:
        rows = 0
        for batch in self.batches():
            rows += len(batch)
            yield "".join(own.lines(batch))
        self._finished(rows)

    def _json(self) -> Iterator[str]:
        """An array that is closed only after the last row: a reader of a broken stream notices."""
        yield "["
        rows = 0
        for batch in self.batches():
            texts = [json.dumps({c.name: json_value(c.raw(row)) for c in self.columns}) for row in batch]
            if texts:
                yield (",\n" if rows else "\n") + ",\n".join(texts)
            rows += len(batch)
        self._finished(rows)
        yield "\n]\n"

    def _finished(self, rows: int) -> None:
        with tenant_transaction(current_tenant_id()):
            record(f"{self.name}.export_finished", None, {"rows": rows, "filters": self.filters})


def _take(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _within(context: Any, parts: Iterator[str]) -> Iterator[str]:
    """Each step under the request's context, which is over when the server asks for the parts."""
    while True:
        with scope(context):
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part
