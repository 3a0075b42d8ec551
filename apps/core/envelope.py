"""The envelope of every queue message (specification 3.4): exactly six keys."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .errors import InvalidInput

KEYS = ("id", "tenant_id", "type", "params", "idempotency_key", "created_at")


@dataclass(frozen=True)
class Envelope:
    """A message: a hint that the job `id` of `tenant_id` is due. `created_at` is ISO 8601 UTC."""

    id: str
    tenant_id: str
    type: str
    params: dict[str, Any]
    idempotency_key: str
    created_at: str

    def as_message(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def job_id(self) -> uuid.UUID:
        return uuid.UUID(self.id)

    @property
    def tenant(self) -> uuid.UUID:
        return uuid.UUID(self.tenant_id)

    @classmethod
    def from_message(cls, message: Any) -> Envelope:
        """Raises InvalidInput, naming the key, unless the message has the six keys and well-formed ids."""
        if not isinstance(message, Mapping):
            raise InvalidInput("The message is not an object.")
        if missing := [key for key in KEYS if key not in message]:
            raise InvalidInput(f"The message lacks {', '.join(missing)}.", field=missing[0])
        if extra := sorted(set(message) - set(KEYS)):
            raise InvalidInput(
                f"The message has unknown keys: {', '.join(map(str, extra))}.", field=str(extra[0])
            )
        for key in ("id", "tenant_id"):
            try:
                uuid.UUID(str(message[key]))
            except ValueError as error:
                raise InvalidInput(f"{key} of the message is not a UUID.", field=key) from error
        if not isinstance(message["params"], dict):
            raise InvalidInput("params of the message is not an object.", field="params")
        return cls(**{key: message[key] for key in KEYS})
