"""Values that may hold a secret leave a document before it is kept: what stands there says so, and nothing else.

Everybody who may read the inventory reads its documents, a policy's reason quotes them, and a preview compares with
them: a value that is there can be asked for. So it is looked at once, on its way in, and what the detectors said of it
is kept in the document in its place: kind, place, line and fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .records import ResourceRecord
from .secret_places import Place, places_of

# Where in a document the detectors' words stand: [{"kind": "environment", "told": "a GitHub Token in variable …"}].
FINDINGS = "desk:secrets"
_MASKED = re.compile(r"masked \(fingerprint [0-9a-f]{12}\)")
# What policies ask for and nobody has to hide: switches, small numbers, and references that a cloud resolves.
_PLAIN = re.compile(
    r"(?i:|true|false|yes|no|on|off|enabled?|disabled?|null|none|[0-9]{1,5}"
    r"|(?:arn|crn):[\w:/.*+=,@-]+|@Microsoft\.KeyVault\([^()]*\)|secretref:[\w-]+)"
)
_REFERENCE_TYPES = ("SECRETS_MANAGER", "PARAMETER_STORE")
# Of a {name, value} pair what is no value; whatever else is a text is hidden with it.
_OF_A_PAIR = ("name", "key", "type", "valuefrom", "secretref")
Change = Callable[[str], str]


def is_masked(text: str) -> bool:
    return bool(_MASKED.fullmatch(text))


def masked(record: ResourceRecord, key: bytes) -> ResourceRecord:
    """The record as it is kept. `key` makes the fingerprints: the tenant's own."""
    # Most types have no such place, and most documents of the others nothing there.
    if not any(place.steps[0] in record.document for _, place in places_of(record.type)):
        return record
    document = masked_document(record.type, record.document, key)
    return record if document is None else replace(record, document=document)


def masked_document(type_: str, document: dict[str, Any], key: bytes) -> dict[str, Any] | None:
    """The document without values that may be secret, and with what was found in them; None where it is so already.

    What is masked already stays, with what was found before.
    """
    from .secret_texts import fingerprint  # its detectors take half a second to load

    changed = False

    def change(text: str) -> str:
        nonlocal changed
        if is_masked(text) or _PLAIN.fullmatch(text.strip()):
            return text
        changed = True
        return f"masked (fingerprint {fingerprint(text, key)})"

    told = findings_in(type_, document, key)
    hidden: Any = document
    for _, place in places_of(type_):
        hidden = _at(hidden, place.steps, lambda part, place=place: _hidden(part, change))  # type: ignore[misc]
    if not changed:
        return None
    known = [item for item in document.get(FINDINGS) or [] if isinstance(item, dict)]
    found = known + [item for item in told if item not in known]
    return {**hidden, FINDINGS: found} if found else hidden


def findings_in(type_: str, document: dict[str, Any], key: bytes) -> list[dict[str, str]]:
    """What the detectors say of the document's values, as it stands under FINDINGS."""
    from .secret_words import secrets_at

    return [
        {"kind": place.kind, "told": words}
        for _, place in places_of(type_)
        for words in secrets_at(place, _parts(document, place), key)
    ]


def _parts(document: Any, place: Place) -> Iterator[Any]:
    parts: list[Any] = []

    def note(part: Any) -> Any:
        if not _is_reference(part):
            parts.append(part)
        return part

    _at(document, place.steps, note)
    yield from parts


def _at(value: Any, steps: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """`value` with what the steps lead to put through `change`; a list on the way means each of its items."""
    if isinstance(value, list):
        return [_at(item, steps, change) for item in value]
    if not steps:
        return change(value)
    if not isinstance(value, dict) or steps[0] not in value:
        return value
    return {**value, steps[0]: _at(value[steps[0]], steps[1:], change)}


def _hidden(part: Any, change: Change) -> Any:
    """A text, the value of a {name, value} pair, or the values of a {name: value} object."""
    if isinstance(part, str):
        return change(part)
    if not isinstance(part, dict) or _is_reference(part):
        return part
    lowered = {str(name).lower(): name for name in part}
    is_pair = bool(
        {"name", "key"} & lowered.keys() and {"value", "valuefrom", "valuesource"} & lowered.keys()
    )
    kept = {lowered[name] for name in _OF_A_PAIR if name in lowered} if is_pair else set()
    return {
        name: change(value) if isinstance(value, str) and name not in kept else value
        for name, value in part.items()
    }


def _is_reference(part: Any) -> bool:
    """A build project's variable that says where its value is to be found."""
    return isinstance(part, dict) and part.get("type") in _REFERENCE_TYPES
