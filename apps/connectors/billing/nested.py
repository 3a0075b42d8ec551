"""Nested values as the cells of a flat row: `service: {description: …}` is the column `service.description`."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any


def cell(value: Any) -> str:
    """A value as a CSV cell would hold it. A double is written with the fewest digits that name it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=cell, ensure_ascii=False)
    return str(value)


def flat(row: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The cells of a nested row by dotted name; lists stay JSON, as do maps of tags."""
    cells: dict[str, str] = {}
    for name, value in row.items():
        if isinstance(value, dict) and name not in MAPS:
            cells |= flat(value, f"{prefix}{name}.")
        else:
            cells[f"{prefix}{name}"] = cell(value)
    return cells


# Objects whose keys are somebody's own, and no columns.
MAPS = frozenset(
    {"Tags", "tags", "labels", "resource_tags", "product", "discount", "cost_category", "x_Tags"}
)
