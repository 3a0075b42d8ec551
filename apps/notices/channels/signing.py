"""Signatures of webhooks, in the manner of the Standard Webhooks specification (v1, HMAC-SHA256).

`webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`; two
of them, separated by a blank, while a former secret is still in force. A receiver compares in constant time,
refuses a timestamp more than five minutes away from its clock, and remembers ids for as long as it does.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings

from ..models import WebhookEndpoint

PREFIX = "whsec_"


def secret_bytes(endpoint: WebhookEndpoint, salt: bytes | memoryview) -> bytes:
    """The endpoint's secret: HMAC-SHA256 of tenant, endpoint and salt under the platform's WEBHOOK_KEY.

    Derived, not stored: neither the database nor its backups hold it, and a new salt makes a new secret.
    """
    tenant_id = endpoint.tenant_id if isinstance(endpoint.tenant_id, UUID) else UUID(str(endpoint.tenant_id))
    told = b"governance webhook v1\0" + tenant_id.bytes + endpoint.pk.bytes + bytes(salt)
    return hmac.digest(settings.WEBHOOKS["key"].encode(), told, "sha256")


def secret_text(endpoint: WebhookEndpoint) -> str:
    """The secret as its receiver is given it, once."""
    return PREFIX + base64.b64encode(secret_bytes(endpoint, endpoint.salt)).decode()


def secrets_in_force(endpoint: WebhookEndpoint, now: datetime) -> list[bytes]:
    """The secret, and the former one for as long as it lasts."""
    found = [secret_bytes(endpoint, endpoint.salt)]
    if endpoint.former_salt is not None and endpoint.former_until and endpoint.former_until > now:
        found.append(secret_bytes(endpoint, endpoint.former_salt))
    return found


def signature_headers(secrets: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of the specification."""
    stamp = str(int(at.timestamp()))
    signed = f"{message_id}.{stamp}.".encode() + body
    made = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{text}" for text in made),
    }
