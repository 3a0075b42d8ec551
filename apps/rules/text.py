"""How a JSON value reads as text: the same in Python as PostgreSQL's jsonb writes it.

PostgreSQL 18 documentation, 8.14 "JSON Types": jsonb keeps numbers as `numeric` (scale kept, no exponent),
drops duplicate keys, and orders keys by length, then by bytes.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal

from apps.rules.tree import Json


def number_text(value: int | float | Decimal) -> str:
    """A number as jsonb prints it: `5`, `5.0`, `0.0000001`, never with an exponent."""
    if isinstance(value, int):
        return str(int(value))
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    written = format(exact, "f")
    return written[1:] if written.startswith("-") and not exact else written


def json_text(value: Json) -> str:
    """A value as jsonb prints it: `{"a": 1, "bb": [true, null]}`."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(json_text(item) for item in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{json_text(key)}: {json_text(value[key])}" for key in keys) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return number_text(value)


def plain_text(value: Json) -> str | None:
    """A value as `->>` gives it: a string is itself, null is None, everything else its JSON text."""
    if value is None:
        return None
    return value if isinstance(value, str) else json_text(value)


def as_json(value: object) -> Json:
    """A plain number type for what a computation gave: NaN and infinities, which JSON has not, become
    None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value  # type: ignore[return-value]


def ascii_lower(value: str) -> str:
    """Lower case of A–Z only, as `lower(x COLLATE "C")`."""
    return value.translate(_ASCII_LOWER)


def simple_lower(value: str) -> str:
    """Lower case letter by letter, as `lower(x COLLATE "pg_c_utf8")`: no letter becomes two, no context
    counts."""
    if value.isascii():
        return value.lower()
    return "".join(lowered if len(lowered := letter.lower()) == 1 else letter.lower()[0] for letter in value)


_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
