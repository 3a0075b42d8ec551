"""What every part of a policy document must be before it is read: JSON, bounded, and storable."""

from __future__ import annotations

import math
from typing import Any

from apps.rules.errors import InvalidPolicy

DEEPEST = 100
MOST_VALUES = 50_000
LONGEST_TEXT = 100_000


def check_document(document: Any) -> None:
    """Raises `InvalidPolicy` for a value that no database holds as JSON, and for too deep or too many."""
    pending: list[tuple[Any, str, int]] = [(document, "", 0)]
    seen = 0
    while pending:
        value, at, depth = pending.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise InvalidPolicy("", f"the policy has more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise InvalidPolicy(at, f"the policy is nested more than {DEEPEST} deep")
        if isinstance(value, dict):
            for key, member in value.items():
                _check_text(key, at)
                pending.append((member, f"{at}.{key}" if at else key, depth + 1))
        elif isinstance(value, (list, tuple)):
            pending.extend((member, f"{at}[{index}]", depth + 1) for index, member in enumerate(value))
        else:
            _check_scalar(value, at)


def _check_scalar(value: Any, at: str) -> None:
    if isinstance(value, str):
        _check_text(value, at)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidPolicy(at, "a number is infinite or none at all")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**100:
        raise InvalidPolicy(at, "a number has too many digits")
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise InvalidPolicy(at, f"a value is of the type {type(value).__name__}, which JSON has not")


def _check_text(value: Any, at: str) -> None:
    if not isinstance(value, str):
        raise InvalidPolicy(at, "a key is no text")
    if len(value) > LONGEST_TEXT:
        raise InvalidPolicy(at, f"a text is longer than {LONGEST_TEXT} characters")
    if "\x00" in value or (not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise InvalidPolicy(at, "a text holds a character that cannot be stored")
