"""A look at the beginning of a stream that can't be put back."""

from __future__ import annotations

from typing import Any, cast

from apps.connectors.files.source import ByteStream

_LOOKED_AT = 64 * 1024


def first_byte(stream: ByteStream) -> tuple[bytes, ByteStream]:
    """The first byte that is not white space, and the stream as it was. `stream` is buffered: it can peek."""
    return peeked(stream).lstrip()[:1], stream


def is_row(stream: ByteStream, key: bytes) -> bool:
    """Whether the first line is an object of its own that has `key`: one row a line, and no document around."""
    line = peeked(stream).lstrip().split(b"\n", 1)[0].rstrip()
    return key in line and line.endswith(b"}")


def peeked(stream: ByteStream) -> bytes:
    return bytes(cast(Any, stream).peek(_LOOKED_AT))
