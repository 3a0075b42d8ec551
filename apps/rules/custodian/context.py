"""What a front end knows while it reads one policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.rules.errors import InvalidPolicy
from apps.rules.tree import Document, Element, Json, Path

Filter = Mapping[str, Any]


@dataclass
class Context:
    """The policy's resource and clock, and where its filters look: the document, or a list's element."""

    now: datetime
    resource: str
    start: Path = field(default_factory=lambda: Path(Document()))
    _bindings: list[str] = field(default_factory=list)

    @property
    def provider(self) -> str:
        return self.resource.split(".", 1)[0]

    @property
    def resource_name(self) -> str:
        return self.resource.split(".", 1)[-1]

    @property
    def in_document(self) -> bool:
        """Whether filters look at the resource itself."""
        return isinstance(self.start.root, Document)

    def binding(self) -> str:
        """A name that no other element of the policy has."""
        self._bindings.append(f"i{len(self._bindings)}")
        return self._bindings[-1]

    def inside(self, binding: str) -> Context:
        """The same within an element of a list."""
        return Context(self.now, self.resource, Path(Element(binding)), self._bindings)


def only_keys(data: Filter, allowed: set[str], at: str) -> None:
    """Raises `InvalidPolicy` for a setting that the filter does not have."""
    for key in data:
        if key not in allowed | {"type"}:
            raise InvalidPolicy(
                f"{at}.{key}", f'the filter "{data.get("type", "value")}" has no setting "{key}"'
            )


def number_setting(data: Filter, name: str, at: str, default: float = 0) -> float:
    """A setting that is a number."""
    value = data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidPolicy(f"{at}.{name}", f"{name} is a number")
    return value


def text_setting(data: Filter, name: str, at: str, default: str) -> str:
    """A setting that is a text."""
    value = data.get(name, default)
    if not isinstance(value, str):
        raise InvalidPolicy(f"{at}.{name}", f"{name} is a text")
    return value


def as_json(value: Any) -> Json:
    """A loaded value, which `checks.check_document` has found to be JSON."""
    return value  # type: ignore[no-any-return]
