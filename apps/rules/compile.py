"""The one door into the policy engine: a document in, a compiled rule out.

`compile_policy` takes one definition in its language's native shape; `split_document` finds the definitions
in a loaded file. A rule is compiled for one point in time (`now`): ages and `utcNow()` are folded, so a scan
compiles its policies anew, which takes well under a millisecond each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any, Literal, Protocol, cast

from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.limits import check_document
from apps.rules.parameters import Parameter
from apps.rules.sql.fragment import StatementTooLong
from apps.rules.sql.query import hits_query
from apps.rules.tree import Rule, size

Language = Literal["azure", "custodian"]
Severity = Literal["low", "medium", "high", "critical"]

ALL_TYPES: None = None
"""`CompiledRule.resource_types` of a rule that may apply to any type."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A policy ready to be evaluated, with what is worth knowing about it.

    `tree` is true for a resource that violates the policy. `resource_types` are the lower-cased types that it
    can be true for, or None for any (`ALL_TYPES`). `provider` is None where resources of any cloud may match.
    `missing_parameters` names those without a value: then the tree is `Always(False)` and the policy is not
    to run.
    """

    tree: Rule
    language: Language
    resource_types: frozenset[str] | None
    provider: str | None = None
    effect: str = ""
    severity: Severity | None = None
    name: str = ""
    title: str = ""
    description: str = ""
    category: str = ""
    parameters: tuple[Parameter, ...] = ()
    missing_parameters: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    related_types: frozenset[str] = frozenset()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether the rule is to be evaluated: it is not disabled, and no parameter lacks a value."""
        return self.effect != "disabled" and not self.missing_parameters


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition found in a file, as `compile_policy` takes it. `at` is its place in the file.

    `refers_to` is the id of the definition that an initiative's reference names, "" elsewhere. If that definition is
    in the same file, `document` is its own; otherwise the reference itself, which does not compile.
    """

    language: Language
    document: Mapping[str, Any]
    name: str
    at: str = ""
    parameters: Mapping[str, Any] | None = None
    controls: tuple[str, ...] = ()
    refers_to: str = ""


class FrontEnd(Protocol):
    """What a language's module `compiler` offers."""

    def compile_policy(
        self, document: Mapping[str, Any], *, parameters: Mapping[str, Any] | None, now: datetime
    ) -> CompiledRule:
        """As `compile_policy` below."""

    def split_document(self, document: Any) -> Iterator[Definition]:
        """The definitions in a loaded file, none if it is not of this language. Raises nothing."""


_MODULES: dict[str, str] = {
    "azure": "apps.rules.azure.compiler",
    "custodian": "apps.rules.custodian.compiler",
}


def compile_policy(
    document: Mapping[str, Any],
    *,
    language: Language,
    parameters: Mapping[str, Any] | None = None,
    now: datetime,
) -> CompiledRule:
    """The rule of one definition.

    Raises `InvalidPolicy` for a document that is none, `Unsupported` (`errors.py`) for one that cannot be
    decided here; both name the place and the reason. `now` is timezone-aware.
    """
    if language not in _MODULES:
        raise InvalidPolicy("", f'no policy language is called "{language}"')
    if not isinstance(document, Mapping):
        raise InvalidPolicy("", "a policy is a JSON object")
    check_document(document)
    check_document(parameters)
    rule = _front_end(language).compile_policy(document, parameters=parameters, now=now)
    _check_statement(rule)
    return rule


def _check_statement(rule: CompiledRule) -> None:
    """Refuse a rule that would ask for a statement beyond all bounds: functions deep in functions, say."""
    depth, nodes = size(rule.tree)
    if depth < _DEEP and nodes < _LARGE:
        return
    try:
        hits_query([("", rule)], tenant_id="")
    except StatementTooLong as error:
        raise Unsupported("", f"the rule is too large to be asked of a database: {error}") from error


_DEEP, _LARGE = 3, 2_000
"""Functions within functions, and nodes, from which on a rule is translated once to see whether it can be."""


def split_document(document: Any) -> list[Definition]:
    """The definitions in a loaded JSON or YAML file, of whichever language; none if it holds no policy."""
    return [found for language in _MODULES for found in _front_end(language).split_document(document)]


def _front_end(language: str) -> FrontEnd:
    return cast(FrontEnd, import_module(_MODULES[language]))
