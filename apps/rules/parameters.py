"""A parameter that a policy declares."""

from __future__ import annotations

from dataclasses import dataclass

from apps.rules.tree import Json


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a definition declares. `kind` is the language's name of its type."""

    name: str
    kind: str
    default: Json = None
    has_default: bool = False
    allowed: tuple[Json, ...] = ()
    title: str = ""
    description: str = ""
