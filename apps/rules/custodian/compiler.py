"""The front end of Cloud Custodian policies: one policy in, a compiled rule out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from apps.rules.compile import CompiledRule, Definition
from apps.rules.custodian.checks import check_document
from apps.rules.custodian.context import Context
from apps.rules.custodian.filters import filters_rule
from apps.rules.custodian.resource_types import Resources, resources_of
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import Column, Compare, Const, Json, Path, Rule, conjunction

_IGNORED = {
    "name", "resource", "filters", "actions", "description", "comment", "comments", "tags", "metadata", "mode",
    "max-resources", "max-resources-percent", "source", "title",
}  # fmt: skip
"""What a policy may say that does not change which resources it matches in an inventory."""

_REFUSED = {
    "conditions": "conditions decide whether the policy runs at all",
    "query": "query narrows the resources by a request to the cloud",
    "region": "region restricts the policy to runs in one region",
    "start": "start and end limit the policy to a time",
    "end": "start and end limit the policy to a time",
    "tz": "tz belongs to start and end",
}


def compile_policy(
    document: Mapping[str, Any], *, parameters: Mapping[str, Any] | None, now: datetime
) -> CompiledRule:
    """The rule of one policy: `name`, `resource`, `filters`.

    `now` is the time of the run (zoned), which ages are counted from. Custodian policies take no parameters:
    none may be given. Raises `InvalidPolicy` and `Unsupported`.
    """
    check_document(document)
    if parameters:
        raise InvalidPolicy("", "a Custodian policy takes no parameters")
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidPolicy("name", "a policy has a name")
    _check_settings(document)
    resources = resources_of(document.get("resource"))
    context = Context(now, resources.name)
    rule = conjunction(
        (_type_rule(resources), filters_rule(document.get("filters") or [], context, "filters"))
    )
    return CompiledRule(
        tree=rule,
        language="custodian",
        resource_types=resources.types,
        provider=resources.provider,
        effect=_effect(document),
        name=name,
        title=_text(document, "title") or name,
        description=_text(document, "description")
        or _text(document, "comment")
        or _text(document, "comments"),
        category=_category(document),
        metadata={
            "resource": document.get("resource"),
            "resource_known": resources.is_known,
            "tags": document.get("tags") or [],
        },
    )


def _check_settings(document: Mapping[str, Any]) -> None:
    for key in document:
        if key in _REFUSED:
            raise Unsupported(key, _REFUSED[key])
        if key not in _IGNORED:
            raise InvalidPolicy(key, f'a policy has no setting "{key[:50]}"')


def _type_rule(resources: Resources) -> Rule:
    """The policy is about resources of its types only, wherever it is evaluated."""
    if resources.types is None:
        return Compare("custodian", "equal", Path(Column("provider")), Const(resources.provider), "resource")
    types: list[Json] = sorted(resources.types)  # type: ignore[assignment]
    return Compare("custodian", "of-type", Path(Column("type")), Const(types), "resource")


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _effect(document: Mapping[str, Any]) -> str:
    """The names of the policy's actions."""
    actions = document.get("actions")
    names = [
        each if isinstance(each, str) else each.get("type") if isinstance(each, dict) else None
        for each in (actions if isinstance(actions, list) else [])
    ]
    return ", ".join(name for name in names if isinstance(name, str))[:200]


def _category(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    category = metadata.get("category") if isinstance(metadata, dict) else None
    return category if isinstance(category, str) else ""


def split_document(document: Any) -> Iterator[Definition]:
    """The policies of a loaded file. Raises nothing."""
    policies = document.get("policies") if isinstance(document, dict) else None
    if not isinstance(policies, list):
        return
    for index, policy in enumerate(policies):
        if isinstance(policy, dict) and ("resource" in policy or "filters" in policy):
            name = policy.get("name")
            named = name if isinstance(name, str) else ""
            yield Definition("custodian", policy, named, f"policies[{index}]")
