"""Policy files read through the engine: `rules` knows the languages, the catalog keeps what comes out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from django.utils import timezone

from apps.catalog.framework_drafts import FrameworkDraft
from apps.catalog.languages import PolicyDraft, PolicyFileRefusal
from apps.catalog.models import SEVERITIES
from apps.catalog.services.controls import INITIATIVE, controls_by_framework, merged_controls
from apps.rules.compile import CompiledRule, Definition, Language, compile_policy, split_document
from apps.rules.custodian.loading import load_yaml
from apps.rules.errors import InvalidPolicy, PolicyError, Unsupported

from .initiative_reader import initiative_frameworks

log = logging.getLogger(__name__)

LINES = (".jsonl", ".ndjson")
# Longest texts that the catalog keeps of a definition's own words.
NAME_LIMIT, TEXT_LIMIT = 300, 4_000


class PolicyReader:
    """Fills the catalog's port `PolicyLanguage`."""

    def read(self, raw: bytes, name: str) -> Iterator[PolicyDraft | PolicyFileRefusal]:
        found = 0
        for at, line, document in _documents(raw, name):
            if isinstance(document, PolicyError):
                yield PolicyFileRefusal(f":{line}" if line else "", str(document), line)
                found += 1
                continue
            for definition in split_document(document):
                found += 1
                yield _looked_at(definition, at)
        if not found:
            yield PolicyFileRefusal("", "no policy found in it")

    def look_at(
        self, language: str, definition: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> PolicyDraft:
        found = Definition(cast(Language, language), definition, str(definition.get("name") or ""))
        return _draft(found, parameters, "")

    def frameworks(self, raw: bytes, name: str) -> Iterator[FrameworkDraft]:
        for _, _, document in _documents(raw, name):
            if not isinstance(document, PolicyError):
                yield from initiative_frameworks(document)


def _documents(raw: bytes, name: str) -> Iterator[tuple[str, int | None, Any]]:
    """(place in the file, line, loaded data or the PolicyError that says why not)."""
    if name.lower().endswith(LINES):
        for number, line in enumerate(raw.splitlines(), start=1):
            if line.strip():
                yield f":{number}", number, _loaded(line)
        return
    yield "", None, _loaded(raw)


def _loaded(raw: bytes) -> Any:
    """JSON is YAML too, but its own parser is a hundred times faster; YAML is what is left."""
    try:
        if raw.lstrip()[:1] in (b"{", b"["):
            return json.loads(raw)
    except (ValueError, RecursionError):
        pass
    try:
        return load_yaml(raw)
    except InvalidPolicy as error:
        return error


def _looked_at(definition: Definition, at: str) -> PolicyDraft:
    """A definition, whatever becomes of it: a defect of the engine is that definition's, not its neighbours'."""
    parameters = definition.parameters or {}
    try:
        return _draft(definition, parameters, at)
    except Exception as error:
        log.exception("The engine broke on %s%s", definition.name, at)
        place = f"{at}{'#' + definition.at if definition.at else ''}"
        return replace(_refused(definition, parameters, place, broke(error)), status="failed")


def broke(error: Exception) -> PolicyError:
    return PolicyError("", f"the engine broke on it: {type(error).__name__}: {error}"[:500])


def _draft(definition: Definition, parameters: Mapping[str, Any], at: str) -> PolicyDraft:
    document, place = definition.document, f"{at}{'#' + definition.at if definition.at else ''}"
    try:
        compiled = compile_policy(
            document, language=definition.language, parameters=parameters or None, now=timezone.now()
        )
    except PolicyError as error:
        return _refused(definition, parameters, place, error)
    status = "needs_parameters" if compiled.missing_parameters else "active"
    if compiled.effect.lower() == "disabled":
        status = "disabled"
    return PolicyDraft(
        language=definition.language,
        provider_id=_provider_id(definition),
        name=_name(definition, compiled)[:NAME_LIMIT],
        provider=compiled.provider or _provider_of(definition.language),
        type=_type(compiled),
        effect=compiled.effect or None,
        severity=_severity(compiled, document),
        status=status,
        definition=document,
        at=place,
        metadata=_metadata(definition, compiled),
        parameters=dict(parameters),
    )


def _refused(
    definition: Definition, parameters: Mapping[str, Any], at: str, error: PolicyError
) -> PolicyDraft:
    metadata = _own_metadata(definition.document)
    severity = str(metadata.get("severity") or "medium").lower()
    return PolicyDraft(
        language=definition.language,
        provider_id=_provider_id(definition),
        name=_storable(definition.name or "unnamed")[:NAME_LIMIT],
        provider=_provider_of(definition.language),
        type="",
        effect=None,
        severity=severity if severity in SEVERITIES else "medium",
        status="unsupported" if isinstance(error, Unsupported) else "invalid",
        definition=_storable(definition.document),
        at=at,
        metadata={
            "controls": merged_controls(
                controls_by_framework(metadata.get("controls")),
                controls_by_framework(definition.controls, INITIATIVE),
            )
        },
        parameters=dict(parameters),
        refusals=({"path": error.path, "reason": error.reason},),
    )


def _storable(value: Any) -> Any:
    """What a refused definition is kept as: PostgreSQL's JSON has neither NUL nor half surrogates."""
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, Mapping):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value


def _name(definition: Definition, compiled: CompiledRule) -> str:
    """Custodian's schema has no title; a pack may carry one in its metadata."""
    title = _own_metadata(definition.document).get("title")
    said = title if isinstance(title, str) else ""
    return said or compiled.title or compiled.name or definition.name or "unnamed"


def _provider_id(definition: Definition) -> str:
    """The provider's id; a member of an initiative that is handed values is a policy of its own, for they are
    not the definition's."""
    own = _own_id(definition)
    return f"{own}#{definition.name}"[:NAME_LIMIT] if definition.refers_to and definition.parameters else own


def _own_id(definition: Definition) -> str:
    return str(_storable(_said_id(definition)))


def _said_id(definition: Definition) -> str:
    document = definition.document
    for key in ("id", "name"):
        if isinstance(document.get(key), str) and document[key]:
            return str(document[key])[:NAME_LIMIT]
    return definition.name[:NAME_LIMIT] or definition.at


def _provider_of(language: str) -> str:
    return "azure" if language == "azure" else "any"


def _type(compiled: CompiledRule) -> str:
    if compiled.resource_types is None:
        return "*"
    types = sorted(compiled.resource_types)
    return types[0] if len(types) == 1 else f"{types[0]} and {len(types) - 1} more" if types else ""


def _own_metadata(document: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = document.get("properties")
    holder = inner if isinstance(inner, Mapping) else document
    metadata = holder.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _severity(compiled: CompiledRule, document: Mapping[str, Any]) -> str:
    said = compiled.severity or str(_own_metadata(document).get("severity") or "").lower()
    return said if said in SEVERITIES else "medium"


def _metadata(definition: Definition, compiled: CompiledRule) -> dict[str, Any]:
    own = _own_metadata(definition.document)
    kept = {key: own[key] for key in ("rationale", "remediation") if isinstance(own.get(key), str)}
    kept |= _named_action(own)
    controls = merged_controls(
        controls_by_framework(own.get("controls")),
        controls_by_framework(compiled.controls),
        controls_by_framework(definition.controls, INITIATIVE),
    )
    return {
        "description": compiled.description[:TEXT_LIMIT],
        "category": compiled.category,
        "controls": controls,
        "resource_types": sorted(compiled.resource_types) if compiled.resource_types is not None else None,
        "declared_parameters": [
            {
                "name": p.name,
                "type": p.kind,
                "default": p.default,
                "has_default": p.has_default,
                "allowed": list(p.allowed),
                "title": p.title,
                "description": p.description[:TEXT_LIMIT],
            }
            for p in compiled.parameters
        ],
        "missing_parameters": list(compiled.missing_parameters),
        **kept,
    }


def _named_action(own: Mapping[str, Any]) -> dict[str, Any]:
    """The action that a policy names for its violations: {"type": …, "params": {…}}. What the kind makes of the
    parameters is its own to check."""
    named = own.get("action")
    if not isinstance(named, Mapping) or not isinstance(named.get("type"), str):
        return {}
    params = named.get("params")
    return {"action": {"type": named["type"], "params": dict(params) if isinstance(params, Mapping) else {}}}


def compile_for_scan(
    language: str, definition: Mapping[str, Any], parameters: Mapping[str, Any], now: datetime
) -> CompiledRule:
    """The rule of a stored policy at the time of a scan; raises PolicyError."""
    return compile_policy(
        definition, language=cast(Language, language), parameters=parameters or None, now=now
    )
