"""Identifiers: where we mint them they are UUIDv7, time-ordered, made in Python."""

import base64
import hashlib
import uuid

import uuid6


def new_id() -> uuid.UUID:
    """A UUIDv7 as the standard library's class, which psycopg and DRF know."""
    return uuid.UUID(int=uuid6.uuid7().int)


def derived_key(prefix: str, *parts: str) -> str:
    """A short, stable, URL-safe key of `parts`: `<prefix>-` and 26 base32 characters (128 bits of SHA-256).

    The parts are length-prefixed before hashing, so ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return f"{prefix}-{base64.b32encode(digest.digest()[:16]).decode().rstrip('=').lower()}"
