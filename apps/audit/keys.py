"""The sealer's signing keys: a file of its own, which web and workers never read.

A line for each key, as Go's `note` package writes it: `PRIVATE+KEY+<name>+<key id>+<base64 of 0x01 and the
seed>`. The first signs; those after it sign as well until they are taken out, so that whoever still knows only
an older public key can go on verifying while the new one becomes known.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from apps.core.errors import InvalidInput

from .tlog import ED25519, SIGNATURE, Checkpoint, Verifier

_HEAD = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+\u2014]+")
_SEED_SIZE = 32


@dataclass(frozen=True)
class Signer:
    """A private key by name."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def signature_line(self, text: bytes) -> str:
        raw = self.verifier.key_id + self.key.sign(text)
        return f"{SIGNATURE}{self.name} {base64.b64encode(raw).decode()}\n"

    def as_line(self) -> str:
        seed = self.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        key = base64.b64encode(bytes([ED25519]) + seed).decode()
        return f"{_HEAD}{self.name}+{self.verifier.key_id.hex()}+{key}\n"


def sign(text: str, signers: Sequence[Signer]) -> bytes:
    """`text` (its last line ended) as a signed note."""
    body = text.encode()
    return body + b"\n" + "".join(signer.signature_line(body) for signer in signers).encode()


def is_signed_by(checkpoint: Checkpoint, verifier: Verifier) -> bool:
    """As Checkpoint.signed_by, fifty times faster."""
    key = Ed25519PublicKey.from_public_bytes(verifier.public_key)
    for name, hint, signature in checkpoint.signatures:
        if name == verifier.name and hint == verifier.key_id:
            with contextlib.suppress(InvalidSignature):
                key.verify(signature, checkpoint.text)
                return True
    return False


def new_name() -> str:
    return f"governance-desk-{secrets.token_hex(4)}"


def make_keys(path: Path, name: str) -> list[Signer]:
    """Make the key file with one new key; refuses one that is there, for its key has signed."""
    if path.exists():
        raise InvalidInput(f"{path} is there: to change keys use --rotate.", field="file")
    return _write(path, [_new_signer(name)])


def ensure_keys(path: Path) -> list[Signer]:
    """The file's keys, made where there is no file: for the embedded default."""
    return read_keys(path) if path.exists() else make_keys(path, new_name())


def rotate_keys(path: Path) -> list[Signer]:
    """Put a new key before the present ones, of the same name; all of them sign from now on."""
    present = read_keys(path)
    return _write(path, [_new_signer(present[0].name), *present])


def retire_keys(path: Path) -> list[Signer]:
    """Leave the newest key alone in the file."""
    return _write(path, read_keys(path)[:1])


def read_keys(path: Path) -> list[Signer]:
    """The keys, the newest first. InvalidInput names the file, and the line where one is wrong."""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidInput(f"{path} may be read by others: chmod 600 {path}", field="file")
        lines = path.read_text().splitlines()
    except OSError as error:
        raise InvalidInput(
            f"The signing key {path} can't be read: {error.strerror}.", field="file"
        ) from error
    signers = [_parse(line, f"{path}, line {at}") for at, line in enumerate(lines, start=1) if line.strip()]
    if not signers:
        raise InvalidInput(f"{path} holds no key.", field="file")
    return signers


def _new_signer(name: str) -> Signer:
    if not _NAME.fullmatch(name):
        raise InvalidInput("A key's name has neither spaces nor a plus sign.", field="name")
    return Signer(name, Ed25519PrivateKey.generate())


def _parse(line: str, where: str) -> Signer:
    name, _, rest = line.strip().removeprefix(_HEAD).partition("+")
    hint, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
        if not line.startswith(_HEAD) or len(raw) != _SEED_SIZE + 1 or raw[0] != ED25519:
            raise ValueError
    except ValueError as error:
        raise InvalidInput(f"{where}: is no Ed25519 key as `audit key` makes it.", field="file") from error
    signer = Signer(name, Ed25519PrivateKey.from_private_bytes(raw[1:]))
    if signer.verifier.key_id.hex() != hint:
        raise InvalidInput(f"{where}: the key id is not that of the key.", field="file")
    return signer


def _write(path: Path, signers: Sequence[Signer]) -> list[Signer]:
    """Replace the file in one step; nobody but its owner may read it, from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(signer.as_line() for signer in signers)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return list(signers)
