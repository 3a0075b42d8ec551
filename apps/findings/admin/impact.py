"""What an exception would mute, and the digest of what its decider is shown."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count

from apps.catalog.models import SEVERITIES

from ..models import PolicyException, Violation, ViolationCounter

UNFIXED = ("open", "suppressed")


@dataclass(frozen=True)
class Coverage:
    """The unfixed violations under an exception: {severity: n}, and for one policy on one resource its reason."""

    by_severity: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    since: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.by_severity.values())

    @property
    def worst_first(self) -> list[tuple[str, int]]:
        return [(s, self.by_severity[s]) for s in reversed(SEVERITIES) if self.by_severity.get(s)]


def coverage_of(exceptions: Sequence[PolicyException]) -> dict[object, Coverage]:
    """{exception id: Coverage} by at most three queries, however many exceptions there are.

    A whole policy's violations are counted by the kept counters, a resource's and a pair's by their indexes.
    """
    policies = {e.policy_id for e in exceptions if e.policy_id and not e.resource_id}
    resources = {e.resource_id for e in exceptions if e.resource_id and not e.policy_id}
    pairs = [e for e in exceptions if e.policy_id and e.resource_id]
    of_policy, of_resource, of_pair = _of_policies(policies), _of_resources(resources), _of_pairs(pairs)
    found: dict[object, Coverage] = {}
    for exception in exceptions:
        if exception.policy_id and exception.resource_id:
            key = (exception.policy_id, exception.resource_id)
            found[exception.pk] = of_pair.get(key, Coverage())
        elif exception.policy_id:
            found[exception.pk] = Coverage(dict(of_policy.get(exception.policy_id, {})))
        else:
            found[exception.pk] = Coverage(dict(of_resource.get(exception.resource_id, {})))
    return found


def _of_policies(ids: set[str | None]) -> dict[str | None, Counter[str]]:
    counts: dict[str | None, Counter[str]] = {}
    if ids:
        rows = ViolationCounter.objects.filter(policy_id__in=ids, status__in=UNFIXED)
        for policy_id, severity, n in rows.values_list("policy_id", "severity", "n"):
            counts.setdefault(policy_id, Counter())[severity] += n
    return counts


def _of_resources(ids: set[str | None]) -> dict[str | None, Counter[str]]:
    counts: dict[str | None, Counter[str]] = {}
    if ids:
        rows = Violation.objects.filter(resource_id__in=ids, status__in=UNFIXED).order_by()
        for resource_id, severity, n in rows.values_list("resource_id", "severity").annotate(n=Count("pk")):
            counts.setdefault(resource_id, Counter())[severity] += n
    return counts


def _of_pairs(exceptions: Iterable[PolicyException]) -> dict[tuple[str | None, str | None], Coverage]:
    policies = {e.policy_id for e in exceptions}
    resources = {e.resource_id for e in exceptions}
    if not policies:
        return {}
    rows = Violation.objects.filter(
        policy_id__in=policies, resource_id__in=resources, status__in=UNFIXED
    ).only("policy_id", "resource_id", "severity", "reason", "first_seen")
    return {
        (v.policy_id, v.resource_id): Coverage({v.severity: 1}, v.reason, v.first_seen) for v in rows
    }


def shown_digest(exception: PolicyException) -> str:
    """SHA-256 of what a decision is about: the request's own words and term, the policy's version and
    severity, the resource's state. A form carries it, so nobody decides on what he has not been shown.
    """
    policy, resource = exception.policy, exception.resource
    facts = {
        "exception": str(exception.pk),
        "reason": exception.reason,
        "expires_at": exception.expires_at.isoformat() if exception.expires_at else None,
        "requested_by": str(exception.created_by_id),
        "selector": exception.selector,
        "policy": [policy.pk, policy.current_version, policy.severity] if policy else None,
        "resource": [resource.pk, str(resource.changed_xid)] if resource else None,
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
