"""Initiatives (policy sets): which definitions they name, with which parameters, under which controls.

Source: Microsoft Learn, "Azure Policy initiative definition structure".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from apps.rules.azure.context import Definition as Names
from apps.rules.azure.context import Scope
from apps.rules.azure.lowering import lower_json
from apps.rules.azure.parameters import declared, values
from apps.rules.compile import Definition
from apps.rules.errors import InvalidPolicy, PolicyError
from apps.rules.limits import check_document
from apps.rules.parameters import Parameter
from apps.rules.tree import Const


@dataclass(frozen=True, slots=True)
class Group:
    """A control that an initiative sorts its definitions under."""

    name: str
    title: str = ""
    category: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Initiative:
    """A policy set: its controls, and its definitions by name (`references`, as `Definition.refers_to`)."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    groups: tuple[Group, ...]
    references: tuple[Definition, ...]


def is_initiative(document: Any) -> bool:
    """Whether a JSON value is a policy set definition."""
    return isinstance(document, Mapping) and isinstance(_body(document).get("policyDefinitions"), list)


def read_initiative(
    document: Mapping[str, Any], *, parameters: Mapping[str, Any] | None = None, at: str = ""
) -> Initiative:
    """A policy set with the parameters that it hands to each of its definitions.

    A definition's parameter that rests on one of the set's own without a value is left out: it stays missing. Raises
    `InvalidPolicy`.
    """
    check_document(document)
    body = _body(document)
    listed = declared(body.get("parameters"), f"{at}parameters")
    known, absent = values(listed, parameters)
    names = Names(known, datetime.now(UTC), absent=absent)
    groups = [_group(each) for each in _objects(body.get("policyDefinitionGroups"))]
    prefix = f"{at}policyDefinitions"
    references = [
        _reference(each, names, f"{prefix}[{i}]")
        for i, each in enumerate(_objects(body["policyDefinitions"]))
    ]
    return Initiative(
        name=str(document.get("name") or ""),
        title=str(body.get("displayName") or document.get("name") or ""),
        description=str(body.get("description") or ""),
        parameters=listed,
        groups=tuple(groups),
        references=tuple(references),
    )


def references(document: Mapping[str, Any], at: str) -> Iterator[Definition]:
    """The definitions that a policy set names; one that cannot be read stands for itself, to be refused by name."""
    try:
        yield from read_initiative(document, at=f"{at}." if at else "").references
    except PolicyError:
        yield Definition("azure", document, str(document.get("name") or ""), at)


def with_document(reference: Definition, document: Mapping[str, Any]) -> Definition:
    """A reference with the document of the definition that it names."""
    return replace(reference, document=document)


def definition_key(identity: str) -> str:
    """What a definition is found by: the last part of its id, in lower case."""
    return identity.rstrip("/").rpartition("/")[2].lower()


def _body(document: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = document.get("properties")
    return properties if isinstance(properties, Mapping) else document


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _group(body: Mapping[str, Any]) -> Group:
    return Group(
        name=str(body.get("name") or ""),
        title=str(body.get("displayName") or ""),
        category=str(body.get("category") or ""),
        description=str(body.get("description") or ""),
    )


def _reference(body: Mapping[str, Any], names: Names, at: str) -> Definition:
    identity = body.get("policyDefinitionId")
    if not isinstance(identity, str) or not identity:
        raise InvalidPolicy(f"{at}.policyDefinitionId", "a reference names a definition")
    groups = body.get("groupNames")
    return Definition(
        "azure",
        body,
        str(body.get("policyDefinitionReferenceId") or definition_key(identity)),
        at,
        _handed(body.get("parameters"), names, f"{at}.parameters"),
        tuple(str(name) for name in groups) if isinstance(groups, list) else (),
        identity,
    )


def _handed(given: Any, names: Names, at: str) -> dict[str, Any]:
    """The values handed to one definition, those resting on a missing parameter left out."""
    handed: dict[str, Any] = {}
    for name, wrapped in (given if isinstance(given, Mapping) else {}).items():
        raw = wrapped["value"] if isinstance(wrapped, Mapping) and "value" in wrapped else wrapped
        names.missing.clear()
        value = lower_json(raw, Scope(names), f"{at}.{name}")
        if names.missing or not isinstance(value, Const):
            continue
        handed[str(name)] = {"value": value.value}
    return handed
