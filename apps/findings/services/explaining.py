"""Why a resource breaks a policy, or does not: the conditions that decided, with the values seen, as of now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.catalog.models import Policy, Resource
from apps.core.context import current_tenant_id
from apps.core.errors import InvalidInput
from apps.rules import evaluate as engine
from apps.rules.compile import CompiledRule
from apps.rules.explain import Explanation, explain

from ..models import EXTERNAL, Violation
from .preview import compile_for_preview, definition_of

MAX_RELATED = 2_000
MAX_PARTS = 500
OUTCOMES = {"true": "violation", "false": "compliant", "error": "undecided"}


@dataclass(frozen=True)
class Part:
    """One condition, or one group of conditions at its `depth`; `decisive` if the outcome rests on it.

    Of a condition: `path` is what it reads, `expected` and `actual` are JSON text as shown to a person.
    """

    kind: str
    outcome: str
    decisive: bool
    depth: int
    at: str
    path: str
    operator: str
    expected: str
    actual: str
    demand: str
    error: str


@dataclass(frozen=True)
class Explained:
    """`outcome` is violation, compliant, undecided, or not_run with the reason in `notes`.

    `leaves` are the conditions that decided, `parts` the whole rule in reading order (cut at 500).
    """

    policy_id: str
    resource_id: str
    policy_version: int
    outcome: str
    leaves: tuple[Part, ...] = ()
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()


def explain_violation(*, violation: Violation) -> Explained:
    """Why the violation stands, or why it would not any more. Raises InvalidInput where its policy or resource
    is gone."""
    if violation.policy is None or violation.resource is None:
        raise InvalidInput("Its policy or its resource is gone, so there is nothing left to explain.")
    found = explain_pair(policy=violation.policy, resource=violation.resource)
    notes = list(found.notes)
    stands = violation.status != "fixed"
    if found.outcome == "compliant" and stands:
        notes.append(
            "The resource or the policy changed since the last scan: the next one closes this violation."
        )
    elif found.outcome == "violation" and not stands:
        notes.append("The resource breaks the policy again: the next scan re-opens this violation.")
    if violation.policy_version not in (None, found.policy_version):
        versions = (violation.policy_version, found.policy_version)
        notes.append("Version {} of the policy found it; this is told by version {}.".format(*versions))
    return Explained(**{**vars(found), "notes": tuple(notes)})


def explain_pair(*, policy: Policy, resource: Resource) -> Explained:
    """What the policy says of the resource now, whether or not a scan would run it."""
    if policy.language == EXTERNAL:
        who = f"{policy.type} judges this, and its rule is not known here: the reason is what its file said."
        return _explained(policy, resource, "not_run", notes=[who])
    try:
        rule = compile_for_preview(policy.language, definition_of(policy), policy.parameters)
    except InvalidInput as error:
        return _explained(policy, resource, "not_run", notes=[str(error)])
    notes = []
    if policy.status != "active":
        notes.append(f"The policy is {policy.status}: scans leave it out.")
    if resource.status == "deleted":
        notes.append("The resource is deleted: scans leave it out.")
    if rule.provider is not None and rule.provider != resource.provider:
        notes.append(f"The policy is about resources of {rule.provider}.")
        return _explained(policy, resource, "compliant", notes=notes)
    (row,) = _rows("r.id = %(id)s", {"id": resource.pk})
    related, whole = _related(rule, resource)
    if not whole:
        notes.append(f"Only {MAX_RELATED} of the related resources were looked at.")
    told = explain(rule, row, [row, *related])
    return _explained(policy, resource, OUTCOMES[told.outcome], told, notes)


def _explained(
    policy: Policy,
    resource: Resource,
    outcome: str,
    told: Explanation | None = None,
    notes: Sequence[str] = (),
) -> Explained:
    return Explained(
        policy_id=policy.pk,
        resource_id=resource.pk,
        policy_version=policy.current_version,
        outcome=outcome,
        leaves=tuple(_part(leaf, 0) for leaf in told.leaves()[:MAX_PARTS]) if told else (),
        parts=tuple(_flat(told, 0))[:MAX_PARTS] if told else (),
        notes=tuple(notes),
    )


def _flat(told: Explanation, depth: int) -> Iterator[Part]:
    yield _part(told, depth)
    for inner in told.parts:
        yield from _flat(inner, depth + 1)


def _part(told: Explanation, depth: int) -> Part:
    return Part(
        kind=told.kind,
        outcome=told.outcome,
        decisive=told.decisive,
        depth=depth,
        at=told.at,
        path=told.path,
        operator=told.operator,
        expected=told.expected,
        actual=told.actual,
        demand=told.demand,
        error=told.error,
    )


_COLUMNS = ("id", "native_id", "provider", "type", "name", "group_name", "location", "account", "status")


def _rows(condition: str, values: dict[str, Any], limit: int = 1) -> list[engine.Resource]:
    """Inventory rows as the reference evaluator reads them: numbers exactly as the document has them."""
    columns = ", ".join(f"r.{name}" for name in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns}, r.tags::text, coalesce(p.properties, '{{}}')::text"  # noqa: S608  names of our own
            " FROM resources r LEFT JOIN resource_properties p ON p.resource_id = r.id AND p.tenant_id = r.tenant_id"
            f" WHERE r.tenant_id = %(tenant)s AND {condition} ORDER BY r.id LIMIT %(limit)s",
            {**values, "tenant": current_tenant_id(), "limit": limit},
        )
        return [
            engine.Resource(
                **dict(zip(_COLUMNS, row[:-2], strict=True)), tags=_json(row[-2]), properties=_json(row[-1])
            )
            for row in cursor.fetchall()
        ]


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _related(rule: CompiledRule, resource: Resource) -> tuple[list[engine.Resource], bool]:
    """The other rows that the rule may look at, and whether those are all of them: below the resource, or of its
    account; the resource's own group and subscription."""
    types = sorted({*rule.related_types, *engine.LINKED_TYPES.values()})
    condition = (
        "r.type = ANY(%(types)s) AND r.id <> %(id)s AND (lower(r.account) = lower(%(account)s)"
        " OR starts_with(lower(r.native_id), lower(%(below)s))"
        " OR lower(r.native_id) = lower('/subscriptions/' || %(account)s))"
    )
    values = {
        "types": types,
        "id": resource.pk,
        "account": resource.account or "",
        "below": f"{resource.display_id}/",
    }
    found = _rows(condition, values, MAX_RELATED + 1)
    return found[:MAX_RELATED], len(found) <= MAX_RELATED
