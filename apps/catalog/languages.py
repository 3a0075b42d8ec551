"""The port to the policy engine, a room above: what the catalog wants to know of a policy file.

`findings` fills it in its AppConfig.ready().
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .framework_drafts import FrameworkDraft


@dataclass(frozen=True)
class PolicyDraft:
    """One definition of a file, looked at: compiled, or refused with a reason.

    `status` is active, disabled, needs_parameters, unsupported or invalid, or failed where the engine itself
    broke; `refusals` are {"path", "reason"} of the last three. `at` is its place in the file. `provider_id` is
    the provider's id.
    """

    language: str
    provider_id: str
    name: str
    provider: str
    type: str
    effect: str | None
    severity: str
    status: str
    definition: Mapping[str, Any]
    at: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    refusals: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class PolicyFileRefusal:
    """A file, or a part of it, that holds no policy, and why."""

    at: str
    reason: str
    line: int | None = None


class PolicyLanguage(Protocol):
    def read(self, raw: bytes, name: str) -> Iterator[PolicyDraft | PolicyFileRefusal]:
        """The definitions in a file's bytes; never raises for bad input."""

    def look_at(
        self, language: str, definition: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> PolicyDraft:
        """One definition with values for its parameters."""

    def frameworks(self, raw: bytes, name: str) -> Iterator[FrameworkDraft]:
        """The control groups of the initiatives in a file's bytes, as frameworks; never raises for bad input."""


_language: PolicyLanguage | None = None


def use_policy_language(language: PolicyLanguage) -> None:
    global _language
    _language = language


def policy_language() -> PolicyLanguage:
    if _language is None:
        raise RuntimeError("no policy language: apps.findings is not installed")
    return _language
