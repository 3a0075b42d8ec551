"""Bounds on a policy document, checked before anything looks into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.rules.errors import InvalidPolicy

MAX_DEPTH = 100
MAX_NODES = 200_000
MAX_TEXT = 1_000_000


def check_document(document: Any) -> None:
    """Raise `InvalidPolicy` for a document too deep or too big, or with text no database column can hold.

    Works without recursion, in time proportional to what it has looked at: a document that shares parts (YAML
    aliases) is counted as if it were written out, and given up at the limit.
    """
    pending: list[tuple[Any, int]] = [(document, 0)]
    seen = 0
    while pending:
        node, depth = pending.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise InvalidPolicy("", f"the document is nested deeper than {MAX_DEPTH}")
        if seen + len(pending) > MAX_NODES:
            raise InvalidPolicy("", f"the document has more than {MAX_NODES} values")
        if isinstance(node, Mapping):
            for key, value in node.items():
                pending.append((value, depth + 1))
                _check_text(key)
        elif isinstance(node, list | tuple):
            pending.extend((item, depth + 1) for item in node)
        else:
            _check_text(node)


def _check_text(node: Any) -> None:
    if not isinstance(node, str):
        return
    if len(node) > MAX_TEXT:
        raise InvalidPolicy("", f"a text is longer than {MAX_TEXT} characters")
    if "\x00" in node:
        raise InvalidPolicy("", "a text holds a NUL character")
    if not node.isascii():
        try:
            node.encode()
        except UnicodeEncodeError as error:
            raise InvalidPolicy("", "a text holds half a surrogate pair") from error
