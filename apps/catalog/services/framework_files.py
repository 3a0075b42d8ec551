"""Reading framework files: ours, and OSCAL catalogues. Bad input is named by its place in the file.

Ours is {"key", "title", "version", "publisher", "description", "retention_years", "groups": [{"id", "title",
"controls": [{"id", "label", "title", "description", "policies": [provider's id, …], "controls": […]}]}]}.
An OSCAL catalogue is {"catalog": {"metadata": {…}, "groups": […], "controls": […]}}, of any 1.x version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from apps.core.errors import InvalidInput

from ..framework_drafts import (
    CODE,
    KEY,
    LIMIT_TEXT,
    LIMIT_TITLE,
    MAX_CONTROLS,
    ControlDraft,
    FrameworkDraft,
    control_code,
    framework_key,
)
from ..models_frameworks import RETENTION_YEARS

LIBRARY = Path(__file__).resolve().parent.parent / "library"
HEAD = {"key", "title", "version", "publisher", "description", "retention_years", "groups", "controls"}
PARTS = {"id", "label", "title", "description", "policies", "controls", "groups"}


@cache
def library() -> dict[str, FrameworkDraft]:
    """The starter frameworks by key, in the order of their titles."""
    found = [_of_library(path) for path in LIBRARY.glob("*.json")]
    return {draft.key: draft for draft in sorted(found, key=lambda draft: draft.title)}


def _of_library(path: Path) -> FrameworkDraft:
    return read_framework(json.loads(path.read_text("utf-8")), source="library")


def is_framework(document: Any) -> bool:
    return isinstance(document, Mapping) and ("catalog" in document or "groups" in document)


def read_framework(document: Mapping[str, Any], *, source: str = "file") -> FrameworkDraft:
    """The framework of a loaded file. Raises InvalidInput, whose field is the place of what is wrong."""
    if isinstance(document.get("catalog"), Mapping):
        return _of_oscal(document["catalog"])
    for name in sorted(set(document) - HEAD):
        raise InvalidInput(f"A framework has no {name!r}.", field=name)
    key = _text(document, "key", "", LIMIT_TITLE, required=True)
    if not KEY.fullmatch(key):
        raise InvalidInput("A key is a-z, 0-9, dots and hyphens, at most 80.", field="key")
    years = document.get("retention_years")
    if years is not None and years not in RETENTION_YEARS:
        raise InvalidInput("Evidence is kept for 1, 2 or 3 years.", field="retention_years")
    return FrameworkDraft(
        key=key,
        title=_text(document, "title", "", LIMIT_TITLE, required=True),
        version=_text(document, "version", "", LIMIT_TITLE),
        publisher=_text(document, "publisher", "", LIMIT_TITLE),
        description=_text(document, "description", "", LIMIT_TEXT),
        retention_years=years,
        controls=_checked(list(_parts(document, "", ""))),
        source=source,
    )


def _parts(holder: Mapping[str, Any], at: str, parent: str) -> Iterator[tuple[str, ControlDraft]]:
    """(place, draft) of everything below `holder`, parents before their children."""
    for kind in ("groups", "controls"):
        listed = holder.get(kind, [])
        if not isinstance(listed, list):
            raise InvalidInput("This must be a list.", field=f"{at}{kind}")
        for number, part in enumerate(listed):
            place = f"{at}{kind}[{number}]"
            if not isinstance(part, Mapping):
                raise InvalidInput("This must be an object.", field=place)
            for name in sorted(set(part) - PARTS):
                raise InvalidInput(f"A control has no {name!r}.", field=f"{place}.{name}")
            code = _text(part, "id", f"{place}.", LIMIT_TITLE, required=True)
            yield (
                place,
                ControlDraft(
                    code=code,
                    label=_text(part, "label", f"{place}.", LIMIT_TITLE) or code.upper(),
                    title=_text(part, "title", f"{place}.", LIMIT_TITLE),
                    description=_text(part, "description", f"{place}.", LIMIT_TEXT),
                    is_group=kind == "groups",
                    parent=parent,
                    policies=_policies(part, place),
                ),
            )
            yield from _parts(part, f"{place}.", code)


def _policies(part: Mapping[str, Any], place: str) -> tuple[str, ...]:
    listed = part.get("policies", [])
    if not isinstance(listed, list) or not all(isinstance(name, str) and name for name in listed):
        raise InvalidInput("Policies are a list of ids.", field=f"{place}.policies")
    return tuple(listed)


def _checked(found: list[tuple[str, ControlDraft]]) -> tuple[ControlDraft, ...]:
    if not any(not draft.is_group for _, draft in found):
        raise InvalidInput("A framework has at least one control.", field="groups")
    if len(found) > MAX_CONTROLS:
        raise InvalidInput(f"A framework has at most {MAX_CONTROLS} controls.", field="groups")
    places: dict[str, str] = {}
    for place, draft in found:
        if not CODE.fullmatch(draft.code):
            raise InvalidInput(
                f"{draft.code!r} is no control's id: letters, digits, dots and hyphens, a letter first.",
                field=f"{place}.id",
            )
        if draft.code in places:
            raise InvalidInput(f"{draft.code!r} is at {places[draft.code]} already.", field=f"{place}.id")
        places[draft.code] = place
    return tuple(draft for _, draft in found)


def _text(holder: Mapping[str, Any], name: str, at: str, limit: int, *, required: bool = False) -> str:
    value = holder.get(name, "")
    if not isinstance(value, str) or "\x00" in value or len(value) > limit:
        raise InvalidInput(f"This must be text of at most {limit} characters.", field=f"{at}{name}")
    if required and not value.strip():
        raise InvalidInput("This must not be empty.", field=f"{at}{name}")
    return value.strip()


def _of_oscal(catalog: Mapping[str, Any]) -> FrameworkDraft:
    metadata = catalog.get("metadata")
    if not isinstance(metadata, Mapping):
        raise InvalidInput("An OSCAL catalogue has metadata.", field="catalog.metadata")
    title = _text(metadata, "title", "catalog.metadata.", LIMIT_TITLE, required=True)
    return FrameworkDraft(
        key=framework_key(title),
        title=title,
        version=_text(metadata, "version", "catalog.metadata.", LIMIT_TITLE),
        controls=_checked(list(_oscal_parts(catalog, "catalog.", ""))),
    )


def _oscal_parts(holder: Mapping[str, Any], at: str, parent: str) -> Iterator[tuple[str, ControlDraft]]:
    for kind in ("groups", "controls"):
        for number, part in enumerate(holder.get(kind) or []):
            place = f"{at}{kind}[{number}]"
            if not isinstance(part, Mapping):
                raise InvalidInput("This must be an object.", field=place)
            properties = [p for p in part.get("props") or [] if isinstance(p, Mapping)]
            if any(p.get("name") == "status" and p.get("value") == "withdrawn" for p in properties):
                continue
            named = str(part.get("id") or part.get("title") or "")
            labels = [
                str(p.get("value")) for p in properties if p.get("name") == "label" and not p.get("class")
            ]
            draft = ControlDraft(
                code=control_code(named),
                label=(labels[0] if labels else named.upper())[:LIMIT_TITLE],
                title=str(part.get("title") or "")[:LIMIT_TITLE],
                is_group=kind == "groups",
                parent=parent,
            )
            yield place, draft
            yield from _oscal_parts(part, f"{place}.", draft.code)
