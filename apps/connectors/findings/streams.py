"""A look at the beginning of a stream that can't be put back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from apps.connectors.files.detection import first_keys
from apps.connectors.files.source import ByteStream

_LOOKED_AT = 64 * 1024


def first_byte(stream: ByteStream) -> tuple[bytes, ByteStream]:
    """The first byte that is not white space, and the stream as it was. `stream` is buffered: it can peek."""
    return peeked(stream).lstrip()[:1], stream


def is_row(stream: ByteStream, list_keys: Collection[str]) -> bool:
    """Whether the first object is a row of its own, and not a document around a list."""
    return first_keys(peeked(stream).lstrip(), depth=1).isdisjoint(list_keys)


def peeked(stream: ByteStream) -> bytes:
    return bytes(cast(Any, stream).peek(_LOOKED_AT))
