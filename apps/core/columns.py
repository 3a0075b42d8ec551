"""The columns of a list: one declaration for the page's cells, the CSV and the JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any
from uuid import UUID

from django.utils.html import format_html

Row = Any
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Column:
    """`name` is the key in exports and, unless `value` says otherwise, the dotted path on the row.

    `cell` draws the value on the page (default: as text); `sort` names the list's ordering that the header
    leads to; `css` is a class of the cell: `num`, `wide`, `quiet`.
    """

    name: str
    label: str
    value: Callable[[Row], Any] | None = None
    cell: Callable[[Row], str] | None = None
    sort: str = ""
    css: str = ""
    shown: bool = True

    def raw(self, row: Row) -> Any:
        """The value for an export: whatever the row holds, None where a part of the path is None."""
        return self.value(row) if self.value is not None else follow(row, self.name)

    def html(self, row: Row) -> str:
        if self.cell is not None:
            return self.cell(row)
        value = self.raw(row)
        return format_html("{}", "–" if value in (None, "") else value)


def follow(row: Row, path: str) -> Any:
    """The attribute at a dotted path, None as soon as a part is None."""
    return reduce(lambda here, part: None if here is None else getattr(here, part), path.split("."), row)


def csv_cell(value: Any) -> str:
    """A value as a CSV cell; text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float | Decimal):
        return str(value)
    text = json_value(value)
    text = text if isinstance(text, str) else str(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def json_value(value: Any) -> Any:
    """A value as JSON has it: dates and times in ISO 8601, money and ids as text."""
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return value
