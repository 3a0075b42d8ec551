"""Exports of a list: everything that is filtered, streamed in batches, in flat memory, never cut.

A streaming response outlives the request's transaction, so each batch is read in a short one of its own. The
batches are not one snapshot: a row that changes while the export runs may show either of its states.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
class Export:
    """What is exported: `name` is the list's, e.g. "findings.violations"; `filters` is what the URL said."""

    name: str
    queryset: models.QuerySet[Any]
    keyset: Keyset
    columns: Sequence[Column]
    filters: dict[str, list[str]]
    decorate: Callable[[list[Any]], None]

    def response(self, format_: str) -> StreamingHttpResponse:
        """Raises InvalidInput for a format that there is not."""
        if format_ not in CONTENT_TYPES:
            raise InvalidInput("An export is csv or json.", field="export")
        record(f"{self.name}.exported", None, {"format": format_, "filters": self.filters})
        body = self._csv() if format_ == "csv" else self._json()
        response = StreamingHttpResponse(_within(current(), body), content_type=CONTENT_TYPES[format_])
        stamp = timezone.now().strftime("%Y%m%dT%H%M%SZ")
        filename = f"{self.name.replace('.', '-')}-{stamp}.{format_}"
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
