"""Taking secrets out of what a cloud answered, before it is kept or locked for years.

By the name of a key, read as words (`SecretString`, `client_secret`, `db-password`), and by the form of a text
(private keys, JSON Web Tokens, our own API tokens, passwords in URLs, signatures of presigned URLs). Identifiers
stay: an access key's id, a secret's ARN, `HttpTokens`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

REDACTED = "[redacted]"
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET = {"password", "passwd", "passphrase", "secret", "secrets", "token", "authorization", "credential",
           "credentials", "signature", "cookie", "apikey"}  # fmt: skip
_SECRET_PAIRS = {("private", "key"), ("secret", "key"), ("api", "key"), ("account", "key"), ("shared", "key"),
                 ("connection", "string"), ("user", "data"), ("sas", "url")}  # fmt: skip
# A key that ends so tells about a secret, or is no secret: `PasswordLastUsed`, `SecretArn`, `ClientToken`.
_ABOUT = {"arn", "id", "ids", "name", "version", "used", "changed", "enabled", "required", "age", "policy", "type",
          "status", "length", "expiry", "expires", "date", "count"}  # fmt: skip
_HARMLESS = {("client", "token"), ("next", "token"), ("continuation", "token"), ("idempotency", "token")}
_FORMS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    re.compile(r"\bgov_[a-z2-7]{26}_[a-z2-7]{26}_[A-Za-z0-9_-]+"),
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),
    re.compile(r"(?<=[?&])(?:X-Amz-(?:Signature|Credential|Security-Token)|sig|Signature)=[^&\s\"]+", re.I),
    re.compile(r"(?i)\b(?:AccountKey|SharedAccessKey|Password|Pwd)=[^;\s\"]+"),
    re.compile(r"(?i)\bBearer\s+[A-Za-z0-9._~+/-]{16,}=*"),
)


def redacted(value: Any) -> Any:
    """A copy of a JSON document without secrets; what was one reads `[redacted]`."""
    if isinstance(value, Mapping):
        return {key: _of_key(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return _text(value) if isinstance(value, str) else value


def _of_key(key: str, item: Any) -> Any:
    if isinstance(item, str) and item and names_a_secret(key):
        return REDACTED
    if isinstance(item, list | tuple) and names_a_secret(key):
        return [REDACTED if isinstance(part, str) else redacted(part) for part in item]
    return redacted(item)


def names_a_secret(key: str) -> bool:
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[-1] in _ABOUT:
        return False
    pairs = set(pairwise(words))
    if pairs & _HARMLESS:
        return False
    return bool(_SECRET & set(words)) or bool(pairs & _SECRET_PAIRS)


def _text(text: str) -> str:
    for form in _FORMS:
        text = form.sub(REDACTED, text)
    return text
