"""Rows in the text form of COPY (PostgreSQL manual, "COPY": File Formats)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_MEANT = {escape: chr(character) for character, escape in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\[\\tnr]")


def copy_text(values: Sequence[str | None]) -> str:
    """The values as one line without its end; None is NULL. Most have nothing to escape: that is seen at once."""
    line = "\t".join(["\\N" if value is None else value for value in values])
    plain = line.count("\\") == values.count(None) and line.count("\t") == len(values) - 1
    if plain and "\n" not in line and "\r" not in line:
        return line
    return "\t".join(["\\N" if value is None else value.translate(_ESCAPES) for value in values])


def from_copy_text(value: str) -> str:
    """A value that is not NULL as it was before `copy_text`."""
    return _ESCAPED.sub(lambda match: _MEANT[match[0]], value)


def copy_json(raw: bytes) -> bytes:
    """JSON as a value: compact, it has neither tab nor line end."""
    return raw.replace(b"\\", b"\\\\")
