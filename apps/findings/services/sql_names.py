"""The engine's statements inside statements of ours."""

from __future__ import annotations

import re
from typing import Any

from apps.rules.sql.query import SqlQuery

_PLACEHOLDER = re.compile(r"%s|%%")


def named(query: SqlQuery) -> tuple[str, dict[str, Any]]:
    """The engine's `%s` as `%(h0)s`, `%(h1)s`, …, to stand inside a statement with named parameters."""
    values: dict[str, Any] = {}
    params = iter(query.params)

    def name(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%%"
        key = f"h{len(values)}"
        values[key] = next(params)
        return f"%({key})s"

    return _PLACEHOLDER.sub(name, query.text), values
