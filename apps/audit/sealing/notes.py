"""The text of our checkpoints: C2SP `tlog-checkpoint`, with extension lines of our own.

    <key name>/tenants/<tenant id>              <key name>/platform
    <size>                                      <number of entries>
    <root, base64>                              <root over the entries, base64>
    previous <size> <SHA-256 of that note>      previous …
    time 2026-11-25T22:49:52Z                   time …
                                                entry tenant <id> <size> <root, base64>
                                                …

The platform's log has an entry for each tenant's checkpoint, in the note of the checkpoint that takes it up. Its
leaves are the hashes of these lines after "entry ".
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..keys import Signer, sign


@dataclass(frozen=True)
class Previous:
    """The checkpoint before: its size and the hash of its whole note, signatures included."""

    size: int
    sha256: str

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Previous:
        size, note = row
        return cls(size, note_hash(str(note).encode()))


def note_hash(note: bytes) -> str:
    return base64.b64encode(hashlib.sha256(note).digest()).decode()


def tenant_note(
    tenant_id: uuid.UUID,
    size: int,
    root: bytes,
    previous: Previous | None,
    now: datetime,
    signers: Sequence[Signer],
) -> str:
    return _note(f"{signers[0].name}/tenants/{tenant_id}", size, root, previous, now, (), signers)


def platform_note(
    size: int,
    root: bytes,
    previous: Previous | None,
    now: datetime,
    entries: Sequence[str],
    signers: Sequence[Signer],
) -> str:
    return _note(f"{signers[0].name}/platform", size, root, previous, now, entries, signers)


def checkpoint_entry(tenant_id: uuid.UUID, size: int, root: bytes) -> str:
    return f"tenant {tenant_id} {size} {base64.b64encode(root).decode()}"


def purge_entry(tenant_id: uuid.UUID, size: int, certificate_sha256: str) -> str:
    """That the tenant is gone by right: after `size` rows, as the certificate of this hash says."""
    return f"purged {tenant_id} {size} {base64.b64encode(bytes.fromhex(certificate_sha256)).decode()}"


def _note(
    origin: str,
    size: int,
    root: bytes,
    previous: Previous | None,
    now: datetime,
    entries: Sequence[str],
    signers: Sequence[Signer],
) -> str:
    lines = [origin, str(size), base64.b64encode(root).decode()]
    if previous is not None:
        lines.append(f"previous {previous.size} {previous.sha256}")
    lines.append(f"time {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    lines += [f"entry {entry}" for entry in entries]
    return sign("\n".join(lines) + "\n", signers).decode()
