"""Rows in the text form of COPY (PostgreSQL manual, "COPY": File Formats)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_MEANT = {escape: chr(character) for character, escape in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\[\\tnr]")


def copy_value(value: str | None) -> str:
    """One value; None is NULL. Most have nothing to escape: that is seen at once."""
    if value is None:
        return "\\N"
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)


def copy_text(values: Sequence[str | None]) -> str:
    """The values as one line without its end. Most have nothing to escape: that is seen at once."""
    line = "\t".join(["\\N" if value is None else value for value in values])
    plain = line.count("\\") == values.count(None) and line.count("\t") == len(values) - 1
    if plain and "\n" not in line and "\r" not in line:
        return line
    return "\t".join(map(copy_value, values))


def from_copy_text(value: str) -> str:
    """A value that is not NULL as it was before `copy_text`."""
    return _ESCAPED.sub(lambda match: _MEANT[match[0]], value)


def copy_json(raw: bytes) -> bytes:
    """JSON as a value: compact, it has neither tab nor line end."""
    return raw.replace(b"\\", b"\\\\")


def copy_blocks(cursor: Any, statement: str, blocks: Iterable[bytes]) -> None:
    """Run `COPY … FROM STDIN` by Django's `cursor` with blocks of whole lines. Errors come as Django's, which it does
    not see to once COPY has begun: a lost connection would be no reason to try again."""
    with cursor.db.wrap_database_errors, cursor.copy(statement) as copy:
        for block in blocks:
            copy.write(block)
