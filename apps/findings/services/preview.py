"""What a scan would open and close if a definition, or other values of its parameters, were saved.

One read-only statement: the hits of the rule against the violations that stand, without writing either.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils import timezone

from apps.catalog.languages import policy_language
from apps.catalog.models import Policy, PolicyVersion, policy_key
from apps.core.context import current_tenant_id
from apps.core.errors import InvalidInput
from apps.rules.compile import CompiledRule, Language, compile_policy
from apps.rules.errors import PolicyError
from apps.rules.sql.query import SqlQuery, hits_query

from .reading import TookTooLong, bounded_reading
from .scan_plan import present_types
from .scan_sql import preview_statement
from .sql_names import named

TIMEOUT_MS = 5_000
REASONS_TIMEOUT_MS = 1_000
SAMPLES = 20
# A rule of more types than this is asked in one statement over all resources.
MANY_TYPES = 40


@dataclass(frozen=True)
class Sample:
    """A resource that a preview names, and why: of one that closes, why it was open."""

    resource_id: str
    native_id: str
    name: str
    type: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """Counts of violations: those that would open (or re-open), close, and stay; of those that open, how many an
    approved exception would hide at once. `errors` counts resources for which the rule has no answer, whose
    violations stay as they are. Up to 20 samples each; `took` in seconds.
    """

    opens: int = 0
    closes: int = 0
    stays: int = 0
    errors: int = 0
    excepted: int = 0
    opening: tuple[Sample, ...] = ()
    closing: tuple[Sample, ...] = ()
    undecided: tuple[Sample, ...] = ()
    took: float = 0.0
    notes: tuple[str, ...] = field(default=())


def preview_policy(
    *,
    policy: Policy | None = None,
    definition: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    language: str = "",
    timeout_ms: int = TIMEOUT_MS,
) -> Preview:
    """What the next full scan would change, were the policy saved like this and active.

    Either a stored `policy`, with its own parameters unless others are given, or a `definition` in its
    `language`, held against the stored policy of the same provider's id where there is one. Raises InvalidInput
    for a definition that does not compile or lacks a parameter's value, TookTooLong. Reads only; needs a
    transaction.
    """
    began = time.perf_counter()
    if policy is not None and definition is None:
        language, definition = policy.language, definition_of(policy)
        parameters = policy.parameters if parameters is None else parameters
    if definition is None:
        raise InvalidInput("Name a policy or give a definition.", field="definition")
    rule = compile_for_preview(language, definition, parameters or {})
    policy_id = policy.pk if policy is not None else _stored_id(language, definition, parameters or {})
    text, values = named(rule_query(policy_id, rule))
    values |= {"tenant": current_tenant_id(), "policy": policy_id, "samples": SAMPLES}
    with bounded_reading(timeout_ms) as cursor:
        cursor.execute(preview_statement(text), values)
        rows = cursor.fetchall()
    reasons = _reasons(policy_id, rule, [row[3] for row in rows if row[0] in ("opens", "error")])
    return _preview(rows, reasons, rule, time.perf_counter() - began)


def _reasons(policy_id: str, rule: CompiledRule, resource_ids: list[str]) -> dict[str, str]:
    """The rule's words for a few resources; none where even that takes long, the counts are worth more."""
    if not resource_ids:
        return {}
    query = hits_query([(policy_id, rule)], tenant_id=current_tenant_id(), resource_ids=resource_ids)
    try:
        with bounded_reading(REASONS_TIMEOUT_MS) as cursor:
            cursor.execute(query.text, query.params)
            return {row[0]: row[3] for row in cursor.fetchall()}
    except TookTooLong:
        return {}


def definition_of(policy: Policy) -> Mapping[str, Any]:
    """The current version's definition; raises InvalidInput where none was kept."""
    found = PolicyVersion.objects.filter(policy=policy, number=policy.current_version)
    definition = found.values_list("definition", flat=True).first()
    if not isinstance(definition, Mapping):
        raise InvalidInput("No definition of this policy was kept.", field="policy")
    return definition


def compile_for_preview(
    language: str, definition: Mapping[str, Any], parameters: Mapping[str, Any]
) -> CompiledRule:
    """The rule as of now; raises InvalidInput naming the place, or the parameters that lack a value."""
    try:
        rule = compile_policy(
            definition, language=cast(Language, language), parameters=parameters or None, now=timezone.now()
        )
    except PolicyError as error:
        at = "parameters" if error.path.startswith("parameters") and parameters else "definition"
        raise InvalidInput(str(error), field=at) from error
    if rule.missing_parameters:
        names = ", ".join(rule.missing_parameters)
        raise InvalidInput(f"These parameters have no value yet: {names}.", field="parameters")
    return rule


def rule_query(policy_id: str, rule: CompiledRule) -> SqlQuery:
    """The statement of one rule: for each of its types that are there by itself, so that an index finds the rows."""
    types = rule.resource_types
    one = [(policy_id, rule)]
    if types is None:
        return hits_query(one, tenant_id=current_tenant_id(), without_deleted=True)
    there = sorted(types & present_types())
    if not there or len(there) > MANY_TYPES:
        return hits_query(one if there else [], tenant_id=current_tenant_id())
    queries = [
        hits_query(one, tenant_id=current_tenant_id(), resource_type=type_, without_deleted=True)
        for type_ in there
    ]
    return SqlQuery(
        " union all ".join(f"({query.text})" for query in queries),
        tuple(param for query in queries for param in query.params),
    )


def _stored_id(language: str, definition: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """The id that an import of this definition would give it."""
    draft = policy_language().look_at(language, definition, parameters)
    return policy_key(current_tenant_id(), language, draft.provider_id)


def _preview(
    rows: list[tuple[Any, ...]], reasons: Mapping[str, str], rule: CompiledRule, took: float
) -> Preview:
    totals: dict[str, tuple[int, int]] = {}
    samples: dict[str, list[Sample]] = {}
    for kind, total, excepted, resource_id, native_id, name, type_, reason in rows:
        totals[kind] = (total, excepted)
        why = reason or reasons.get(resource_id, "")
        samples.setdefault(kind, []).append(Sample(resource_id, native_id or "", name, type_, why))
    notes = [] if rule.runs else ["Its effect is Disabled, so it would find nothing."]
    return Preview(
        opens=totals.get("opens", (0, 0))[0],
        closes=totals.get("closes", (0, 0))[0],
        stays=totals.get("stays", (0, 0))[0],
        errors=totals.get("error", (0, 0))[0],
        excepted=totals.get("opens", (0, 0))[1],
        opening=tuple(samples.get("opens", ())),
        closing=tuple(samples.get("closes", ())),
        undecided=tuple(samples.get("error", ())),
        took=round(took, 3),
        notes=tuple(notes),
    )
