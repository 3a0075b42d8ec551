"""The filters that a filtered set's exception is bounded by, and how people say them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHOICES = {"severity": "severity", "provider": "resource__provider"}
TEXTS = {"type": "resource__type", "account": "resource__account"}
TIMES = {"first_seen_after": "first_seen__gte", "first_seen_before": "first_seen__lt"}
KEYS = (*CHOICES, *TEXTS, *TIMES)


def words_of_scope(policy: Any, resource: Any, selector: Mapping[str, Any] | None) -> str:
    """“public-bucket on every resource, severity high, account 123, also later ones”."""
    if selector is None:
        return f"{policy or 'Every policy'} on {resource or 'every resource'}"
    named = [f"{policy or 'Every policy'} on {resource or 'every resource'}"] if policy or resource else []
    words = ", ".join([*named, *selector_words(selector)])
    return words[:1].upper() + words[1:]


def selector_words(selector: Mapping[str, Any]) -> list[str]:
    """Each filter by itself, and whether later ones count."""
    found = []
    for key in KEYS:
        value = selector.get(key)
        if value:
            text = " or ".join(value) if isinstance(value, list) else str(value)
            found.append(f"{key.replace('_', ' ')} {text[:10] if key in TIMES else text}")
    return [*found, "also later ones" if selector.get("later") else "only those seen before it was asked for"]
