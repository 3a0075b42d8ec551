"""A Cloud Asset Inventory export: one asset a line, several lines an asset, each with one kind of content.

A line's content becomes a partial record: `part` says which, and merge_documents puts the parts together, so
that an iam_policy line never erases resource data. Access levels, perimeters and policies are written on
their organisation's line but are resources of their own, with a name of their own, and become that.
Keys come in snake case (protobuf JSON of exports) or camel case (REST).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from apps.connectors.files.lines import numbered_lines
from apps.connectors.files.row import Row, build, converted, object_or_empty, required_text
from apps.connectors.files.source import ByteStream
from apps.connectors.records import (
    LISTING_PART,
    PART_KEYS,
    RESOURCE_PART,
    WHOLE,
    Refusal,
    Rejected,
    ResourceRecord,
)

_CAMEL = re.compile(r"_([a-z])")
_ANCESTOR_PROJECT = re.compile(r"(?:^|/)projects?/([^/]+)")
# Content that is a resource of its own: the key, and the asset type it has when listed by itself.
_OWN_RESOURCES = {
    "access_policy": "accesscontextmanager.googleapis.com/AccessPolicy",
    "access_level": "accesscontextmanager.googleapis.com/AccessLevel",
    "service_perimeter": "accesscontextmanager.googleapis.com/ServicePerimeter",
}


def read_gcp_asset(stream: ByteStream) -> Iterator[ResourceRecord | Refusal]:
    """A partial record, or a refusal, for each line that isn't blank."""
    return converted(numbered_lines(stream), record_of_asset)


def record_of_asset(asset: Row, line: int) -> ResourceRecord:
    """One line of an export as a record. Raises Rejected."""
    for key, asset_type in _OWN_RESOURCES.items():
        content = object_or_empty(key, _either(asset, key))
        if content:
            name = required_text(f"{key}.name", content.get("name"), 1024)
            return _record(asset, line, WHOLE, content, f"//{asset_type.split('/')[0]}/{name}", asset_type)
    part, document = _content(asset)
    return _record(asset, line, part, document, asset.get("name"), _either(asset, "asset_type"))


def _content(asset: Row) -> tuple[str, dict[str, Any]]:
    resource = object_or_empty("resource", asset.get("resource"))
    if "resource" in asset:
        return RESOURCE_PART, object_or_empty("resource.data", resource.get("data"))
    for part, key in PART_KEYS.items():
        content = _either(asset, part)
        if content is not None:
            if not isinstance(content, dict | list):
                raise Rejected(part, f"{part} is neither an object nor a list")
            return part, {key: content}
    return LISTING_PART, {}


def _record(
    asset: Row, line: int, part: str, document: dict[str, Any], native_id: Any, asset_type: Any
) -> ResourceRecord:
    resource = object_or_empty("resource", asset.get("resource"))
    name = document.get("displayName") or document.get("name") or document.get("title")
    return build(
        provider="gcp",
        native_id=native_id,
        type_=asset_type,
        name=_last_part(name) if isinstance(name, str) else None,
        location=resource.get("location"),
        tags=_labels(document),
        document=document,
        line=line,
        part=part,
        account=_project(asset, native_id),
        status="deleted" if asset.get("deleted") is True else None,
    )


def _either(asset: Row, key: str) -> Any:
    """A member by its snake-case name or its camel-case one."""
    return asset.get(key, asset.get(_CAMEL.sub(lambda found: found[1].upper(), key)))


def _labels(document: dict[str, Any]) -> Any:
    """User labels; Cloud SQL keeps them in its settings."""
    settings = document.get("settings")
    inner = settings.get("userLabels") if isinstance(settings, dict) else None
    labels = document.get("labels", inner)
    return labels if isinstance(labels, dict) else None


def _last_part(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1] or name


def _project(asset: Row, native_id: Any) -> str | None:
    """The project: by its id in the asset's name, else as its number among the ancestors or the parent."""
    resource = object_or_empty("resource", asset.get("resource"))
    ancestors = asset.get("ancestors")
    told = [native_id, asset.get("ancestry_path"), *(ancestors if isinstance(ancestors, list) else ())]
    for text in (*told, resource.get("parent")):
        found = _ANCESTOR_PROJECT.search(text) if isinstance(text, str) else None
        if found:
            return found[1]
    return None
