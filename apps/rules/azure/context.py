"""What names mean while a definition is translated."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from apps.rules.tree import Element, Json, Value


@dataclass
class Definition:
    """What holds for the whole of one definition."""

    parameters: Mapping[str, Json]
    """Values by lower-cased name; a missing one has a stand-in."""
    now: datetime
    missing: set[str] = field(default_factory=set)
    """Lower-cased names of parameters without a value that the rule reads."""
    absent: frozenset[str] = frozenset()
    """Lower-cased names of declared parameters without a value."""
    _serial: itertools.count = field(default_factory=itertools.count)
    nodes: int = 0

    def fresh(self, kind: str) -> str:
        """A binding that no other part of the tree has."""
        return f"{kind}{next(self._serial)}"


@dataclass(frozen=True, slots=True)
class FieldCount:
    """An enclosing `count` of a field: below it the counted alias means the element."""

    alias: str
    """Lower-cased, with its `[*]` at the end."""
    element: Element


@dataclass(frozen=True, slots=True)
class ValueCount:
    """An enclosing `count` of a value: `current(name)` is the element."""

    name: str
    element: Value


@dataclass(frozen=True, slots=True)
class Scope:
    """What holds at one place of a rule."""

    definition: Definition
    row: str = ""
    """The row that `field` conditions read: the resource, or a related one."""
    types: frozenset[str] | None = None
    """The types the row can have here, where that is known."""
    resource_types: frozenset[str] | None = None
    """The types the resource itself can have (field() in an existenceCondition reads it)."""
    counts: tuple[FieldCount | ValueCount, ...] = ()
    depth: int = 0

    def within(self, count: FieldCount | ValueCount) -> Scope:
        return replace(self, counts=(*self.counts, count))

    def deeper(self) -> Scope:
        return replace(self, depth=self.depth + 1)

    def narrowed(self, types: frozenset[str] | None) -> Scope:
        """The same place where the row is also known to be of one of these types."""
        if types is None:
            return self
        return replace(self, types=types if self.types is None else self.types & types)

    def of_resource(self) -> Scope:
        """The scope of the field() function, which always reads the resource under evaluation."""
        return replace(self, row="", types=self.resource_types) if self.row else self
