"""The controls that a policy serves, by framework: {"nist-800-53-r5": ["SA-2"], "initiative": ["group-name"]}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models import Policy

INITIATIVE = "initiative"
"""Under this name stand the groups that an Azure initiative sorts the policy under: their names carry the
framework already."""


def controls_by_framework(said: Any, default: str = "controls") -> dict[str, list[str]]:
    """What a definition says of its controls, as a mapping or a plain list, in one shape; what else it may hold
    is left out."""
    if isinstance(said, Mapping):
        return {str(name): _names(listed) for name, listed in said.items() if _names(listed)}
    return {default: _names(said)} if _names(said) else {}


def merged_controls(*each: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """All of them, every control once, in the order they come."""
    merged: dict[str, list[str]] = {}
    for controls in each:
        for framework, names in controls.items():
            kept = merged.setdefault(framework, [])
            kept += [name for name in names if name not in kept]
    return merged


def control_groups(policy: Policy) -> list[tuple[str, list[str]]]:
    """(framework, controls) of a stored policy."""
    metadata = policy.metadata if isinstance(policy.metadata, Mapping) else {}
    return sorted(controls_by_framework(metadata.get("controls")).items())


def _names(listed: Any) -> list[str]:
    if isinstance(listed, str):
        return [listed]
    if not isinstance(listed, list | tuple):
        return []
    return [str(name) for name in listed if isinstance(name, str | int | float)]
