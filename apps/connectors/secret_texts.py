"""Secrets in texts, by detect-secrets' detectors: which kind and where, never what.

What is found is told as its kind, its line and a fingerprint (a keyed hash), so that the same secret in two places
can be recognised and nobody can read it back.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters import heuristic
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector

# Not secrets by themselves (an address), or too many false alarms in machine-made text (entropy).
_LEFT_OUT = ("Public IP (ipv4)", "Base64 High Entropy String", "Hex High Entropy String")
_KEYWORD = "Secret Keyword"
_BASIC_AUTH = "Basic Auth Credentials"
# Its detector takes values without quotes only where the file is a configuration.
_AS_FILE = "text.ini"
MAX_TEXT = 256 * 1024
MAX_LINE = 4096
FINGERPRINT = 12
_NO_VALUE = re.compile(
    r"^(?:true|false|yes|no|null|none|enabled|disabled|required|optional|changeme|<[^>]*>|\*+|x+|\.+)$",
    re.IGNORECASE,
)
# Where the value is to be found, and not the value: a reference that the cloud resolves.
_REFERENCE = re.compile(
    r"^(?:arn:|crn:|projects/|https?://[^/\s@]+\.(?:vault\.azure\.net|vaultcore\.azure\.net)|@Microsoft\.KeyVault|"
    r"secretref:|ssm:|/aws/|\$|\{\{|%[A-Za-z_]+%|`)",
    re.IGNORECASE,
)


# Names of things that are not secret themselves: SECRET_NAME, password_policy, api_key_id, …
_NAMED_OTHERWISE = re.compile(
    r"(?:name|arn|crn|id|ids|path|file|dir|url|uri|ttl|length|size|policy|type|region|version|enabled|required|"
    r"rotation|days|store|manager|provider|ref)['\"\]]{0,2}\s*(?::=|=>|[:=]{1,3})\s*['\"`]?$",
    re.IGNORECASE,
)
_NAMES_OF_CLOUDS = re.compile(
    r"\b(?:arn|crn):[^\s'\"]+|\bprojects/[^\s'\"]+|https?://[^\s'\"]*vault[^\s'\"]*"
)


@dataclass(frozen=True, order=True)
class FoundSecret:
    """`line` counts from 1; `kind` is detect-secrets' name of it; `fingerprint` is hexadecimal."""

    line: int
    kind: str
    fingerprint: str


def find_secrets(text: str, key: bytes) -> list[FoundSecret]:
    """The secrets in a text, by line; of one line each value once. `key` makes the fingerprints."""
    found: dict[FoundSecret, None] = {}
    for number, line in enumerate(text[:MAX_TEXT].splitlines(), 1):
        for kind, value in _in_line(line):
            found[FoundSecret(number, kind, fingerprint(value, key))] = None
    return sorted(found)


def fingerprint(value: str, key: bytes) -> str:
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:FINGERPRINT]


def decoded(text: str) -> str:
    """User data as it was written: base64 and gzip undone where it is that, else the text itself."""
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = zlib.decompressobj(wbits=31).decompress(raw, MAX_TEXT)
        except (zlib.error, gzip.BadGzipFile):
            return text
    try:
        return raw[:MAX_TEXT].decode()
    except UnicodeDecodeError:
        return text


def _in_line(line: str) -> Iterator[tuple[str, str]]:
    """(kind, value) of a line's secrets, the particular detectors' before the one that goes by names."""
    line = line[:MAX_LINE]
    told: list[str] = []
    for plugin in _DETECTORS:
        for value in _by_name(plugin, line) if plugin.secret_type == _KEYWORD else _by_form(plugin, line):
            if value and not any(value in other or other in value for other in told):
                told.append(value)
                yield plugin.secret_type, value


def _by_form(plugin: BasePlugin, line: str) -> Iterator[str]:
    """Whole matches: some detectors answer with a part of the secret (a token's prefix) only."""
    if not isinstance(plugin, RegexBasedDetector):
        yield from plugin.analyze_string(line)
        return
    if not any(True for _ in plugin.analyze_string(line)):
        return
    for regex in plugin.denylist:
        for match in regex.finditer(line):
            # Of `://user:password@` the password alone.
            yield match[1] if plugin.secret_type == _BASIC_AUTH else match[0]


def _by_name(plugin: BasePlugin, line: str) -> Iterator[str]:
    line = _NAMES_OF_CLOUDS.sub("", line)
    for secret in plugin.analyze_line(_AS_FILE, line):
        value = (secret.secret_value or "").strip().strip("'\"").strip()
        if value and not _is_no_secret(value, line):
            yield value


def _is_no_secret(value: str, line: str) -> bool:
    """For what is only suspected by its name: a placeholder, a reference, an id, a word that says nothing."""
    return (
        len(value) < 6
        or bool(_NO_VALUE.match(value))
        or bool(_REFERENCE.match(value))
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_sequential_string(value)
        or heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_indirect_reference(line)
        or bool(_NAMED_OTHERWISE.search(line[: line.find(value)]))
    )


def _detectors() -> tuple[BasePlugin, ...]:
    kinds: Mapping[str, type[BasePlugin]] = get_mapping_from_secret_type_to_class()
    made = [kinds[name]() for name in sorted(kinds) if name not in _LEFT_OUT]
    return tuple(sorted(made, key=lambda plugin: plugin.secret_type == _KEYWORD))


_DETECTORS = _detectors()
