"""What costs are divided by: metrics that a tenant counts itself."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.audit.services import record
from apps.core.errors import InvalidInput

from ..models import UnitMetric

MAX_ROWS = 10_000
MAX_NAME = 100
COLUMNS = ("metric", "day", "quantity")


def rows_of_csv(raw: bytes) -> list[dict[str, str]]:
    """The rows of a CSV with the columns metric, day and quantity. Raises InvalidInput."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is no UTF-8.", field="file") from error
    reader = csv.DictReader(io.StringIO(text))
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise InvalidInput(f"The header lacks {', '.join(sorted(missing))}.", field="file")
    return [{name: row.get(name) or "" for name in COLUMNS} for row in reader]


def record_metrics(*, rows: Iterable[Mapping[str, Any]]) -> int:
    """Set the quantities of days, all of them or none; returns how many. Raises InvalidInput naming the row."""
    wanted: dict[tuple[str, dt.date], Decimal] = {}
    for number, row in enumerate(rows, 1):
        if number > MAX_ROWS:
            raise InvalidInput(f"At most {MAX_ROWS:,} rows at once.", field="rows")
        wanted[_metric(row, number), _day(row, number)] = _quantity(row, number)
    if not wanted:
        raise InvalidInput("There are no rows.", field="rows")
    UnitMetric.objects.bulk_create(
        [UnitMetric(metric=metric, day=day, quantity=quantity) for (metric, day), quantity in wanted.items()],
        update_conflicts=True,
        unique_fields=["tenant_id", "metric", "day"],
        update_fields=["quantity"],
        batch_size=1000,
    )
    metrics = sorted({metric for metric, _ in wanted})
    record("costs.metrics.recorded", None, {"metrics": metrics[:50], "rows": len(wanted)})
    return len(wanted)


def _metric(row: Mapping[str, Any], number: int) -> str:
    name = str(row.get("metric") or "").strip()
    if not name or len(name) > MAX_NAME or "\x00" in name:
        raise InvalidInput(
            f"Row {number}: a metric has a name of at most {MAX_NAME} characters.", field="metric"
        )
    return name


def _day(row: Mapping[str, Any], number: int) -> dt.date:
    try:
        return dt.date.fromisoformat(str(row.get("day") or "").strip())
    except ValueError as error:
        raise InvalidInput(f"Row {number}: a day is written YYYY-MM-DD.", field="day") from error


def _quantity(row: Mapping[str, Any], number: int) -> Decimal:
    try:
        quantity = Decimal(str(row.get("quantity") or "").strip())
    except InvalidOperation as error:
        raise InvalidInput(f"Row {number}: a quantity is a decimal number.", field="quantity") from error
    if not quantity.is_finite() or quantity < 0:
        raise InvalidInput(f"Row {number}: a quantity is not below zero.", field="quantity")
    return quantity
