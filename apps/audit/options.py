"""The settings of sealing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from apps.core.errors import InvalidInput

from .tlog import Malformed, Verifier, parse_verifier


@dataclass(frozen=True)
class SealOptions:
    """settings.AUDIT. `key_file` is the sealer's alone; `public_keys` are what verifying trusts by default."""

    bucket: str
    access_key: str | None
    secret_key: str | None
    key_file: Path | None
    public_keys: tuple[str, ...]
    public_key_file: Path | None
    seal_seconds: int
    alarm_seconds: int
    retention_days: int

    @property
    def retention(self) -> timedelta:
        return timedelta(days=self.retention_days)


def options() -> SealOptions:
    return SealOptions(**settings.AUDIT)  # type: ignore[misc]  # settings read the environment


def trusted_keys(given: tuple[str, ...] | list[str] = ()) -> list[Verifier]:
    """The public keys to verify with: those `given`, or else the configured ones. InvalidInput on a bad one."""
    here = options()
    texts = list(given) or list(here.public_keys)
    if not texts and here.public_key_file is not None and here.public_key_file.exists():
        texts = here.public_key_file.read_text().split()
    try:
        return [parse_verifier(text) for text in texts]
    except Malformed as error:
        raise InvalidInput(f"A public key is not to be read: {error}.", field="public_key") from error
