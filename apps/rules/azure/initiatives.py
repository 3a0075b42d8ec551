"""Initiatives (policy sets): which definitions they name, with which parameters, under which controls.

Source: Microsoft Learn, "Azure Policy initiative definition structure".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.rules.compile import Definition


def is_initiative(document: Any) -> bool:
    """Whether a JSON value is a policy set definition."""
    return isinstance(document, Mapping) and isinstance(_body(document).get("policyDefinitions"), list)


def _body(document: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = document.get("properties")
    return properties if isinstance(properties, Mapping) else document


def references(document: Mapping[str, Any], at: str) -> Iterator[Definition]:
    """Nothing yet: an initiative names definitions that live elsewhere."""
    yield from ()
