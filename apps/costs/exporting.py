"""The explorer's numbers as a file: every group of every bucket, none folded into the rest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

from django.http import HttpResponse
from django.utils import timezone

from apps.audit.services import record
from apps.core.columns import csv_cell, json_value
from apps.core.errors import InvalidInput
from apps.core.exports import CONTENT_TYPES

from .explorer import Question, totals_by

COLUMNS = ("bucket", "group", "amount", "currency")


def export_answer(question: Question, format_: str, filters: Mapping[str, Sequence[str]]) -> HttpResponse:
    """Sums and not lines, so it is made whole before it is sent. Raises InvalidInput for an unknown format."""
    if format_ not in CONTENT_TYPES:
        raise InvalidInput("An export is csv or json.", field="export")
    rows = [
        (max(bucket, question.start), name, amount, question.currency)
        for name, bucket, amount in totals_by(question)
    ]
    body = _csv(rows) if format_ == "csv" else _json(rows)
    record(
        "costs.explorer.exported",
        None,
        {"format": format_, "filters": {k: list(v) for k, v in filters.items()}, "rows": len(rows)},
    )
    response = HttpResponse(body, content_type=CONTENT_TYPES[format_])
    stamp = timezone.now().strftime("%Y%m%dT%H%M%SZ")
    response["Content-Disposition"] = f'attachment; filename="costs-{stamp}.{format_}"'
    response["Cache-Control"] = "no-store"
    return response


def _csv(rows: Sequence[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([csv_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _json(rows: Sequence[tuple[object, ...]]) -> str:
    return json.dumps([dict(zip(COLUMNS, map(json_value, row), strict=True)) for row in rows], indent=0)
