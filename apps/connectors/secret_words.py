"""What the detectors say of the parts of a document, in words: kind, place, line and fingerprint, never the secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .masking import is_masked
from .secret_places import Place
from .secret_texts import FoundSecret, decoded, find_secrets

SHOWN = 6


def secrets_at(place: Place, parts: Iterable[Any], key: bytes) -> list[str]:
    """What was found in the parts of one document, in words: `a GitHub Token in variable TOKEN (fingerprint …)`."""
    told: list[tuple[str, FoundSecret]] = []
    for part in parts:
        for name, text in _texts(part):
            if is_masked(text):
                continue
            where = f"{place.words} {name}" if name else place.words
            told += [(where, found) for found in _secrets_of(name, text, key)]
    return [_words(where, found) for where, found in sorted(told)]


def reason_of(found: list[str]) -> str:
    """The sentence of a violation."""
    shown = found[:SHOWN]
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{'; '.join(shown)}{more}."[:1].upper() + f"{'; '.join(shown)}{more}."[1:]


def _texts(part: Any) -> Iterator[tuple[str, str]]:
    """(name, text); the name is empty for a text by itself. Values that are a reference to a store are no texts."""
    if isinstance(part, str):
        yield "", decoded(part)
        return
    if not isinstance(part, dict):
        return
    lowered = {str(name).lower(): value for name, value in part.items()}
    name = lowered.get("name", lowered.get("key"))
    if isinstance(name, str) and ("value" in lowered or "valuefrom" in lowered or "valuesource" in lowered):
        if isinstance(lowered.get("value"), str):
            yield (
                name,
                decoded(lowered["value"]) if name in ("user-data", "startup-script") else lowered["value"],
            )
        return
    for key, value in part.items():
        if isinstance(value, str):
            yield str(key), value


def _secrets_of(name: str, text: str, key: bytes) -> list[FoundSecret]:
    """A variable is looked at as the line that sets it: some are known by their names alone."""
    if not name or "\n" in text:
        return find_secrets(text, key)
    return find_secrets(f"{name}={text}", key)


def _words(where: str, found: FoundSecret) -> str:
    kind = (
        "a secret by its name" if found.kind == "Secret Keyword" else f"{_article(found.kind)} {found.kind}"
    )
    line = f", line {found.line}" if found.line > 1 or where in ("user data", "custom data") else ""
    mark = f" (fingerprint {found.fingerprint})" if found.fingerprint else ""
    return f"{kind} in {where}{line}{mark}"


def _article(kind: str) -> str:
    return "an" if kind[:1].upper() in "AEIO" else "a"
