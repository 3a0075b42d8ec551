"""Azure Policy definitions to compiled rules.

Source: Microsoft Learn, "Details of the Azure Policy definition structure" and "... initiative definition
structure".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from apps.rules.azure import initiatives
from apps.rules.azure.conditions import rule_of
from apps.rules.azure.context import Definition, Scope
from apps.rules.azure.effects import Effect, effect_of, looks_at_related, not_existing
from apps.rules.azure.parameters import declared, values
from apps.rules.compile import CompiledRule
from apps.rules.compile import Definition as Found
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.scope import possible_types, related_types
from apps.rules.tree import MODE, Always, Column, Compare, Const, Not, Path, Rule, conjunction

_MODES = ("all", "indexed")
_NOT_INDEXED = ["microsoft.resources/subscriptions", "microsoft.resources/subscriptions/resourcegroups"]


def compile_policy(
    document: Mapping[str, Any], *, parameters: Mapping[str, Any] | None, now: datetime
) -> CompiledRule:
    """The rule of one definition: native ({properties: {policyRule, ...}}), flat, or a bare policyRule."""
    body, prefix = _body(document)
    rule_key = _key(body, "policyRule")
    if rule_key is None and isinstance(document.get("policyDefinitionId"), str):
        missing_id = str(document["policyDefinitionId"])[:150]
        raise Unsupported(
            "policyDefinitionId", f"the initiative names {missing_id}, which is not in this file"
        )
    if rule_key is None:
        raise InvalidPolicy(prefix, "a policy definition has a policyRule")
    mode = body.get("mode", "All")
    if not isinstance(mode, str) or mode.lower() not in _MODES:
        raise Unsupported(
            f"{prefix}mode", f"the mode {str(mode)[:60]} is about a data plane, not the inventory"
        )
    parameter_list = declared(body.get("parameters"), f"{prefix}parameters")
    known, absent = values(parameter_list, parameters)
    definition = Definition(known, now.astimezone(UTC), absent=absent)
    bare = body[rule_key] is document
    tree, effect = _rule(body[rule_key], definition, "" if bare else f"{prefix}{rule_key}.")
    if mode.lower() == "indexed":
        tree = _indexed(tree)
    missing = tuple(p.name for p in parameter_list if p.name.lower() in definition.missing)
    return CompiledRule(
        tree=Always(False) if missing else tree,
        language="azure",
        resource_types=possible_types(tree),
        provider="azure",
        effect=effect.name,
        parameters=parameter_list,
        missing_parameters=missing,
        related_types=related_types(tree),
        **_description(document, body),
    )


def split_document(document: Any) -> Iterator[Found]:
    """The definitions in a loaded file: one, a list, {"value": [...]}, or an initiative's references."""
    items = list(_candidates(document))
    here = {initiatives.definition_key(_name(item)): item for item, _ in items if is_definition(item)}
    for item, at in items:
        if is_definition(item):
            yield Found("azure", item, _name(item), at)
        elif initiatives.is_initiative(item):
            for reference in initiatives.references(item, at):
                known = here.get(initiatives.definition_key(reference.refers_to))
                yield reference if known is None else initiatives.with_document(reference, known)


def is_definition(document: Any) -> bool:
    """Whether a JSON value looks like an Azure definition, whole or bare."""
    if not isinstance(document, Mapping):
        return False
    body, _ = _body(document)
    return _key(body, "policyRule") is not None


def _candidates(document: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(document, Mapping) and isinstance(document.get("value"), list):
        document = document["value"]
        yield from ((item, f"value[{i}]") for i, item in enumerate(document))
    elif isinstance(document, list):
        yield from ((item, f"[{i}]") for i, item in enumerate(document))
    else:
        yield document, ""


def _key(body: Mapping[str, Any], name: str) -> str | None:
    return next((key for key in body if isinstance(key, str) and key.lower() == name.lower()), None)


def _body(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The object that has the policyRule, and the path to it."""
    properties = document.get("properties")
    if isinstance(properties, Mapping):
        return properties, "properties."
    if _key(document, "if") is not None and _key(document, "then") is not None:
        return {"policyRule": document}, ""
    return document, ""


def _rule(node: Any, definition: Definition, at: str) -> tuple[Rule, Effect]:
    if not isinstance(node, Mapping):
        raise InvalidPolicy(at.rstrip("."), "policyRule is a JSON object")
    if_key, then_key = _key(node, "if"), _key(node, "then")
    if if_key is None or then_key is None:
        raise InvalidPolicy(at.rstrip("."), "policyRule has an if and a then")
    scope = Scope(definition)
    effect = effect_of(node[then_key], scope, f"{at}{then_key}")
    condition = rule_of(node[if_key], scope, f"{at}{if_key}")
    if not looks_at_related(effect) or effect.details is None:
        if effect.name.endswith("IfNotExists"):
            raise InvalidPolicy(f"{at}{then_key}.details", f"{effect.name} says which type it looks for")
        return condition, effect
    types = possible_types(condition)
    inner = replace(scope, types=types, resource_types=types)
    absent = not_existing(effect.details, inner, f"{at}{then_key}.details")
    return conjunction((condition, absent), at.rstrip(".")), effect


def _indexed(tree: Rule) -> Rule:
    """Mode Indexed: resources with tags and a location; not resource groups and subscriptions."""
    if possible_types(tree) is not None:
        return tree
    groups = Compare("azure", "in", Path(Column("type"), (), "type"), Const([*_NOT_INDEXED]), MODE)
    nested = Compare("azure", "isNestedType", Path(Column("type"), (), "type"), Const(None), MODE)
    placed = Compare("azure", "exists", Path(Column("location"), (), "location"), Const(True), MODE)
    return conjunction((Not(groups), Not(conjunction((nested, Not(placed)))), tree), "policyRule")


def _description(document: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return {
        "name": _name(document),
        "title": str(body.get("displayName") or document.get("displayName") or _name(document)),
        "description": str(body.get("description") or ""),
        "category": str(metadata.get("category") or ""),
        "metadata": {key: value for key, value in metadata.items() if isinstance(value, str | bool | int)},
    }


def _name(document: Mapping[str, Any]) -> str:
    identity = str(document.get("id") or "")
    return str(document.get("name") or identity.rpartition("/")[2] or "")
