"""API tokens as text: `gov_<tenant>_<token>_<secret>`.

The first two parts are the UUIDs in lower-case base32, visible: the prefix names the tenant, so the row can
be looked up under row-level security. The secret has 256 bits; its SHA-256 is what is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import uuid
from dataclasses import dataclass

from .roles import Permission

PREFIX = "gov"

# What a token may be given. `approve` is a scope of its own: without it a token can't decide.
SCOPES: dict[str, frozenset[Permission]] = {
    "read": frozenset({Permission.VIEW, Permission.EXPORT}),
    "import": frozenset({Permission.IMPORT}),
    "scan": frozenset({Permission.SCAN}),
    "request": frozenset({Permission.REQUEST}),
    "approve": frozenset({Permission.DECIDE}),
    "manage": frozenset({Permission.MANAGE}),
}


@dataclass(frozen=True)
class TokenParts:
    tenant_id: uuid.UUID
    token_id: uuid.UUID
    secret: str


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def same_secret(secret: str, secret_sha256: str) -> bool:
    return hmac.compare_digest(hash_secret(secret), secret_sha256)


def render_token(tenant_id: uuid.UUID, token_id: uuid.UUID, secret: str) -> str:
    return f"{PREFIX}_{_pack(tenant_id)}_{_pack(token_id)}_{secret}"


def parse_token(text: str) -> TokenParts | None:
    """The parts of a well-formed token, None of anything else; says nothing about whether it is valid."""
    parts = text.split("_", 3)
    if len(parts) != 4 or parts[0] != PREFIX or not parts[3]:
        return None
    tenant_id, token_id = _unpack(parts[1]), _unpack(parts[2])
    if tenant_id is None or token_id is None:
        return None
    return TokenParts(tenant_id, token_id, parts[3])


def permissions_of(scopes: list[str]) -> frozenset[Permission]:
    return frozenset().union(*(SCOPES.get(scope, frozenset()) for scope in scopes))


def _pack(value: uuid.UUID) -> str:
    return base64.b32encode(value.bytes).decode().rstrip("=").lower()


def _unpack(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(bytes=base64.b32decode(text.upper() + "=" * (-len(text) % 8)))
    except (binascii.Error, ValueError):
        return None
