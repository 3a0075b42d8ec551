"""Proofs of a sealed trail, checked with Python's standard library alone.

Merkle trees of RFC 6962, signed notes and checkpoints of C2SP (`signed-note`, `tlog-checkpoint`), Ed25519 of
RFC 8032. Python 3.9 or newer, no imports of ours: this file also travels in an evidence report, beside
`verify.py`, and runs there with nothing installed. It checks; it never makes a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
ED25519 = 1  # the algorithm's number in a C2SP verifier string
HASH_SIZE = 32
SIGNATURE = "\u2014 "
_SIZE = re.compile(r"0|[1-9][0-9]*")


class Malformed(ValueError):
    """Bytes that are no note, no checkpoint or no verifier string; the text says why."""


# ---- the tree (RFC 6962, section 2.1)


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in memory that grows with the logarithm of their number."""
    peaks: list[bytes] = []
    for size, leaf in enumerate(leaves):
        node = leaf
        while size & 1:
            node = node_hash(peaks.pop(), node)
            size >>= 1
        peaks.append(node)
    return fold(peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root of a tree from the roots of its complete subtrees, largest (leftmost) first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` shows `leaf` at `index` (from 0) in the tree of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and node == root


def root_around(leaves: Sequence[bytes], first: int, size: int, nodes: Iterable[bytes]) -> bytes | None:
    """The root of a tree of `size` leaves of which `leaves` begin at `first` and `nodes` are the roots of what lies
    around them, left to right; None where they do not fit."""
    if not leaves or first < 0 or first + len(leaves) > size:
        return None
    rest = iter(nodes)

    def root(start: int, stop: int) -> bytes:
        if stop <= first or first + len(leaves) <= start:
            return next(rest)
        if first <= start and stop <= first + len(leaves):
            return root_of(leaves[start - first : stop - first])
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        left = root(start, middle)
        return node_hash(left, root(middle, stop))

    try:
        found = root(0, size)
    except StopIteration:
        return None
    return found if next(rest, None) is None else None


def verify_consistency(
    first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Whether `path` shows that the tree of `second` leaves begins with that of `first` (RFC 9162, 2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    proof = list(path) if first & (first - 1) else [first_root, *path]
    if not proof:
        return False
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


# ---- signed notes and checkpoints


@dataclass(frozen=True)
class Verifier:
    """A public key by name, as `<name>+<key id>+<base64 of 0x01 and the 32 bytes>`."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.public_key)

    def __str__(self) -> str:
        key = base64.b64encode(bytes([ED25519]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"


@dataclass(frozen=True)
class Checkpoint:
    """A log's size and root at one moment, and who signed it. `extensions` are the lines after the root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...]
    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]  # (name, key id, signature)

    def extension(self, word: str) -> str | None:
        """The rest of the first extension line that begins with `word` and a space."""
        return next((line[len(word) + 1 :] for line in self.extensions if line.startswith(word + " ")), None)

    def signed_by(self, verifier: Verifier) -> bool:
        """Whether one of its signatures is a true one of this key."""
        return any(
            verify_ed25519(verifier.public_key, self.text, signature)
            for name, hint, signature in self.signatures
            if name == verifier.name and hint == verifier.key_id
        )


def key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public_key).digest()[:4]


def parse_verifier(text: str) -> Verifier:
    """Read a verifier string. Raises Malformed where it is none, or its key id is not its key's."""
    name, plus, rest = text.strip().partition("+")
    hint, second, encoded = rest.partition("+")
    if not (name and plus and second):
        raise Malformed("a public key is written as NAME+KEY ID+BASE64")
    key = _base64(encoded, "the public key")
    if len(key) != HASH_SIZE + 1 or key[0] != ED25519:
        raise Malformed("the public key is no Ed25519 key")
    verifier = Verifier(name, key[1:])
    if verifier.key_id.hex() != hint:
        raise Malformed(f"the key id {hint} is not that of this name and key ({verifier.key_id.hex()})")
    return verifier


def parse_checkpoint(note: bytes) -> Checkpoint:
    """Read a checkpoint in its signed note, without checking a signature. Raises Malformed."""
    try:
        decoded = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("is no text") from error
    text, blank, tail = decoded.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise Malformed("is no signed note: there is no empty line before its signatures")
    lines = text.split("\n")
    if len(lines) < 3 or not all(lines):
        raise Malformed("has not the three lines origin, size and root")
    if not _SIZE.fullmatch(lines[1]):
        raise Malformed(f"has {lines[1]!r} for a size")
    root = _base64(lines[2], "the root")
    if len(root) != HASH_SIZE:
        raise Malformed("has a root that is no SHA-256")
    signatures = tuple(_signature(line) for line in tail[:-1].split("\n"))
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]), (text + "\n").encode(), signatures)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, space, encoded = line[len(SIGNATURE) :].partition(" ")
    if not line.startswith(SIGNATURE) or not name or not space:
        raise Malformed(f"has a signature line that is none: {line!r}")
    raw = _base64(encoded, "a signature")
    if len(raw) < 5:
        raise Malformed("has a signature that is too short")
    return name, raw[:4], raw[4:]


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"{what} is no base64") from error


# ---- Ed25519 (RFC 8032, section 5.1)

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]  # extended homogeneous coordinates


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of `public_key` (32 bytes) over `message`. Some 3 ms."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, commitment = _decompress(public_key), _decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    return _same(_times(scalar, _BASE), _add(commitment, _times(challenge, key)))


def _add(a: _Point, b: _Point) -> _Point:
    left = (a[1] - a[0]) * (b[1] - b[0]) % _P
    right = (a[1] + a[0]) * (b[1] + b[0]) % _P
    t, z = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = right - left, z - t, z + t, right + left
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _same(a: _Point, b: _Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % _P == 0 and (a[1] * b[2] - b[1] * a[2]) % _P == 0


def _decompress(encoded: bytes) -> _Point | None:
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    if square == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P:
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE = _decompress(_BASE_Y.to_bytes(32, "little")) or (0, 1, 1, 0)
