"""One row of any format, checked and turned into a record. Every check raises Rejected naming its field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from apps.connectors.bounds import MAX_ID_BYTES, MAX_NAME_BYTES, MAX_SHORT_TEXT_BYTES, MAX_TYPE_BYTES
from apps.connectors.files.lines import Line
from apps.connectors.files.strict_json import json_type, parse_object
from apps.connectors.normalise import (
    account_of,
    document_location,
    group_of,
    normalise_location,
    normalise_tags,
    normalise_type,
    status_of,
)
from apps.connectors.records import PROVIDERS, WHOLE, Refusal, Rejected, ResourceRecord

Row = dict[str, Any]
Convert = Callable[[Row, int], ResourceRecord]
# Where each format keeps the cloud's own id, to name a row that is refused.
_ID_KEYS = ("id", "name", "arn", "ARN", "crn", "resourceId")


def converted(lines: Iterable[Line | Refusal], convert: Convert) -> Iterator[ResourceRecord | Refusal]:
    """Each raw JSON row parsed and converted; a bad one becomes a Refusal, and reading goes on."""
    for item in lines:
        if isinstance(item, Refusal):
            yield item
            continue
        line, raw = item
        row: Row = {}
        try:
            row = parse_object(raw)
            yield convert(row, line)
        except Rejected as rejected:
            yield Refusal(line, rejected.field, rejected.reason, _name_of(row))


def build(
    *,
    provider: str,
    native_id: Any,
    type_: Any,
    name: Any,
    location: Any,
    tags: Any,
    document: dict[str, Any],
    line: int,
    part: str = WHOLE,
    account: str | None = None,
    status: str | None = None,
) -> ResourceRecord:
    """A record out of a row's values, checked: texts are texts within their bounds, the provider is known.

    `account` and `status` are for formats that tell them beside the document; otherwise it is asked.
    """
    if provider not in PROVIDERS:
        raise Rejected("provider", f"provider {str(provider)[:40]!r} is not one of {', '.join(PROVIDERS)}")
    identity = required_text("id", native_id, MAX_ID_BYTES)
    place = optional_text("location", location, MAX_SHORT_TEXT_BYTES) or document_location(
        provider, identity, document
    )
    return ResourceRecord(
        native_id=identity,
        provider=provider,
        type=normalise_type(required_text("type", type_, MAX_TYPE_BYTES)),
        name=optional_text("name", name, MAX_NAME_BYTES) or _tail(identity),
        group_name=_short(group_of(provider, identity, document)),
        location=_short(normalise_location(provider, place)),
        account=_short(account or account_of(provider, identity, document)),
        tags=normalise_tags(tags),
        status=status or status_of(provider, document),
        document=document,
        line=line,
        part=part,
    )


def required_text(field: str, value: Any, limit: int) -> str:
    """A text that is there and isn't blank, of at most `limit` bytes."""
    if value is None:
        raise Rejected(field, f"{field} is missing")
    text = optional_text(field, value, limit)
    if not text:
        raise Rejected(field, f"{field} is empty")
    return text


def optional_text(field: str, value: Any, limit: int) -> str | None:
    """A text of at most `limit` bytes, or None where it is null or blank."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Rejected(field, f"{field} is {json_type(value)}, not a string")
    if len(value) * 4 > limit and len(value.encode()) > limit:
        raise Rejected(field, f"{field} has {len(value.encode()):,} bytes; at most {limit:,} are taken")
    return value if value.strip() else None


def object_or_empty(field: str, value: Any) -> dict[str, Any]:
    """An object, or an empty one where there is none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Rejected(field, f"{field} is {json_type(value)}, not an object")
    return value


def _tail(native_id: str) -> str:
    return native_id.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1] or native_id


def _short(value: str | None) -> str | None:
    """A derived text is no reason to refuse a row: one that is too long to be true is left out."""
    if value is None or len(value) * 4 <= MAX_SHORT_TEXT_BYTES:
        return value
    return value if len(value.encode()) <= MAX_SHORT_TEXT_BYTES else None


def _name_of(row: Row) -> str | None:
    for key in _ID_KEYS:
        value = row.get(key)
        if isinstance(value, str) and value:
            return value[:200].replace("\x00", "�").encode(errors="replace").decode()
    return None
