"""Which format a file is in, told from its first bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from apps.connectors.records import Rejected

_STRING = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_TOKEN = re.compile(_STRING + rb"(\s*:)?|[{}\[\]]", re.DOTALL)
_LOOKED_AT = 20  # lines, where the first ones are damaged

# The first format all of whose words are among the keys; more telling ones first.
_ROW_KEYS: tuple[tuple[str, frozenset[str]], ...] = (
    ("ndjson", frozenset({"id", "provider"})),
    ("gcp-asset", frozenset({"name", "asset_type"})),
    ("gcp-asset", frozenset({"name", "assetType"})),
)
_DOCUMENT_KEYS: tuple[tuple[str, frozenset[str]], ...] = (
    ("aws-config", frozenset({"configurationItems"})),
    ("ibm-search", frozenset({"items"})),
    ("azure-resource-graph", frozenset({"data"})),
    ("azure-resource-graph", frozenset({"value"})),
)
_ELEMENT_KEYS: tuple[tuple[str, frozenset[str]], ...] = (
    ("ibm-search", frozenset({"crn"})),
    ("aws-config", frozenset({"resourceType", "resourceId"})),
    ("azure-resource-graph", frozenset({"id", "type"})),
)


class UnknownFormat(Rejected):
    """The file is in no format that is known here."""


def format_of(head: bytes) -> str:
    """The format's name. Raises UnknownFormat, or Rejected where the file is empty."""
    text = head.lstrip()
    if not text:
        raise Rejected(None, "the file is empty")
    found = _json_format(text) if text[:1] in (b"{", b"[") else None
    found = found or _row_format(text) or _csv_format(text)
    if found is None:
        raise UnknownFormat(None, "the file is in no known format")
    return found


def _json_format(text: bytes) -> str | None:
    if text.startswith(b"["):
        return _matching(first_keys(text, depth=2), _ELEMENT_KEYS)
    keys = first_keys(text, depth=1)
    return _matching(keys, _ROW_KEYS) or _matching(keys, _DOCUMENT_KEYS)


def _row_format(text: bytes) -> str | None:
    """The format of the first line that looks like a row, for a file whose first row is damaged."""
    for line in text.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]:
        found = (
            _matching(first_keys(line.lstrip(), depth=1), _ROW_KEYS)
            if line.lstrip().startswith(b"{")
            else None
        )
        if found:
            return found
    return None


def _csv_format(text: bytes) -> str | None:
    header = text.split(b"\n", 1)[0].lower().replace(b'"', b"")
    cells = {cell.strip() for cell in re.split(rb"[,;\t]", header)}
    return "csv" if {b"id", b"provider"} <= cells else None


def _matching(keys: set[str], table: tuple[tuple[str, frozenset[str]], ...]) -> str | None:
    return next((name for name, words in table if words <= keys), None)


def first_keys(text: bytes, depth: int) -> set[str]:
    """The keys at a depth of the first document in `text`, which may be cut off anywhere."""
    return set(_keys_at(text, depth))


def _keys_at(text: bytes, wanted: int) -> Iterator[str]:
    depth = 0
    for token in _TOKEN.finditer(text):
        first = token[0][:1]
        if first == b'"':
            if depth == wanted and token[2] is not None:
                yield token[1].decode(errors="replace")
        else:
            depth += 1 if first in b"{[" else -1
            if depth < wanted - 1 or depth == 0:
                return
