"""From a violation to an action: what its policy names as its remediation.

A policy's `metadata["action"]` is {"type", "params"}, read from the policy file's own metadata (Azure
`properties.metadata.action`, Custodian `metadata.action`); `metadata["action_override"]` is what an admin has
set, which imports leave alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.catalog.models import Policy, Resource
from apps.catalog.services.policies import ACTION_OVERRIDE
from apps.core.db.fields import TransactionNow
from apps.core.errors import GovernanceError, InvalidInput, Refused
from apps.findings.models import Violation

from ..executors.base import Executor
from ..models import Action
from ..params import checked_params
from ..plans import digest
from ..ports import find_executor
from .proposing import check_rule, known_kind, propose_action


@dataclass(frozen=True)
class Remediation:
    """What a policy names: a kind and its parameters; `problem` says in words why it can't be used."""

    type: str
    params: Mapping[str, Any]
    executor: Executor | None = None
    problem: str = ""

    @property
    def title(self) -> str:
        return self.executor.kind.title if self.executor is not None else self.type


@dataclass
class Group:
    """Violations with one remediation: one action."""

    remediation: Remediation
    violations: list[Violation] = field(default_factory=list)
    problem: str = ""

    @property
    def resources(self) -> list[Resource]:
        return list({v.resource_id: v.resource for v in self.violations if v.resource is not None}.values())


@dataclass
class Proposal:
    """What would be asked for; `left_out` are violations with the reason why nothing is proposed for them."""

    groups: list[Group] = field(default_factory=list)
    left_out: list[tuple[Violation, str]] = field(default_factory=list)

    @property
    def usable(self) -> list[Group]:
        return [group for group in self.groups if not group.problem]


def remediation_of(policy: Policy | None) -> Remediation | None:
    """None where the policy names none."""
    metadata = policy.metadata if policy is not None else {}
    named = metadata.get(ACTION_OVERRIDE) or metadata.get("action")
    if not isinstance(named, Mapping) or not isinstance(named.get("type"), str):
        return None
    type_, params = named["type"], named.get("params") or {}
    executor = find_executor(type_)
    if executor is None:
        return Remediation(type_, params, None, f"There is no kind of action {type_!r} here.")
    try:
        return Remediation(type_, checked_params(executor, params), executor)
    except InvalidInput as error:
        return Remediation(type_, params, executor, f"{error.field}: {error}")


def set_remediation(*, policy: Policy, type: str, params: Any = None) -> Policy:
    """Name the remediation of a policy, or with an empty type go back to what its file names. Audited with both."""
    before = policy.metadata.get(ACTION_OVERRIDE)
    metadata = {key: value for key, value in policy.metadata.items() if key != ACTION_OVERRIDE}
    if type:
        metadata[ACTION_OVERRIDE] = {"type": type, "params": checked_params(known_kind(type), params or {})}
    with transaction.atomic():
        policy.metadata, policy.updated_at = metadata, TransactionNow()
        policy.save(update_fields=["metadata", "updated_at"])
        after = metadata.get(ACTION_OVERRIDE)
        record("actions.remediation.set", policy, {"before": before, "after": after})
    policy.refresh_from_db()
    return policy


def proposal_for(violations: Iterable[Violation]) -> Proposal:
    """Group by remediation; say of each group and each violation that is left out why it can't be proposed."""
    proposal, groups = Proposal(), dict[tuple[str, str], Group]()
    for violation in violations:
        remediation = remediation_of(violation.policy)
        if why := _obstacle(violation, remediation):
            proposal.left_out.append((violation, why))
            continue
        assert remediation is not None  # noqa: S101  an obstacle otherwise
        key = (remediation.type, digest(dict(remediation.params)))
        groups.setdefault(key, Group(remediation)).violations.append(violation)
    proposal.groups = list(groups.values())
    for group in proposal.groups:
        if group.remediation.executor is not None:
            try:
                check_rule(group.remediation.executor, group.resources, group.violations)
            except GovernanceError as error:
                group.problem = str(error)
    return proposal


def _obstacle(violation: Violation, remediation: Remediation | None) -> str:
    if violation.resource is None:
        return "its resource is gone"
    if violation.status == "fixed":
        return "it is fixed already"
    if remediation is None:
        return "its policy names no action"
    if remediation.problem or remediation.executor is None:
        return remediation.problem
    kind = remediation.executor.kind
    resource = violation.resource
    if resource.provider != kind.provider or resource.type.lower() not in kind.resource_types:
        return f"{kind.title} is not for {resource.type}"
    return ""


def propose_for(
    violations: Sequence[Violation],
    *,
    reason: str = "",
    idempotency_key: str | None = None,
    send: bool = True,
) -> list[Action]:
    """One action for each remediation among the violations. All of them or none. Raises InvalidInput with the
    first reason where nothing can be proposed, or where a group is above its limit."""
    proposal = proposal_for(violations)
    if not proposal.groups:
        why = proposal.left_out[0][1] if proposal.left_out else "there is no violation"
        raise Refused(f"Nothing can be proposed: {why}.")
    with transaction.atomic():
        return [
            propose_action(
                type=group.remediation.type,
                resources=group.resources,
                params=group.remediation.params,
                reason=reason,
                violations=group.violations,
                idempotency_key=f"{idempotency_key}:{number}" if idempotency_key else None,
                send=send,
            )
            for number, group in enumerate(proposal.groups)
        ]
