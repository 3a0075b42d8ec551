"""What an exception would mute, and the digest of what its decider is shown."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count

from apps.catalog.models import SEVERITIES

from ..models import PolicyException, Violation, ViolationCounter

OPEN = ("open",)
UNFIXED = ("open", "suppressed")
# (policy or resource id, stored status) → {severity: n}
Counts = dict[tuple[str | None, str], Counter[str]]


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

    A pending exception covers what is open, a decided one also what is suppressed. A whole policy's
    violations are counted by the kept counters, a resource's and a pair's by their indexes.
    """
    of_policy = _of_policies({e.policy_id for e in exceptions if e.policy_id and not e.resource_id})
    of_resource = _of_resources({e.resource_id for e in exceptions if e.resource_id and not e.policy_id})
    of_pair = _of_pairs([e for e in exceptions if e.policy_id and e.resource_id])
    found: dict[object, Coverage] = {}
    for exception in exceptions:
        statuses = OPEN if exception.status == "pending" else UNFIXED
        if exception.policy_id and exception.resource_id:
            status, coverage = of_pair.get((exception.policy_id, exception.resource_id), ("", Coverage()))
            found[exception.pk] = coverage if status in statuses else Coverage()
        else:
            counts = of_policy if exception.policy_id else of_resource
            subject = exception.policy_id or exception.resource_id
            total: Counter[str] = Counter()
            for status in statuses:
                total += counts.get((subject, status), Counter())
            found[exception.pk] = Coverage(dict(total))
    return found


def _of_policies(ids: set[str | None]) -> Counts:
    counts: Counts = {}
    if ids:
        rows = ViolationCounter.objects.filter(policy_id__in=ids, status__in=UNFIXED)
        for policy_id, status, severity, n in rows.values_list("policy_id", "status", "severity", "n"):
            counts.setdefault((policy_id, status), Counter())[severity] += n
    return counts


def _of_resources(ids: set[str | None]) -> Counts:
    counts: Counts = {}
    if ids:
        rows = Violation.objects.filter(resource_id__in=ids, status__in=UNFIXED).order_by()
        grouped = rows.values_list("resource_id", "status", "severity").annotate(n=Count("pk"))
        for resource_id, status, severity, n in grouped:
            counts.setdefault((resource_id, status), Counter())[severity] += n
    return counts


def _of_pairs(
    exceptions: Sequence[PolicyException],
) -> dict[tuple[str | None, str | None], tuple[str, Coverage]]:
    """(policy, resource) → (status, coverage); one violation at most, by the table's unique key."""
    if not exceptions:
        return {}
    rows = Violation.objects.filter(
        policy_id__in={e.policy_id for e in exceptions},
        resource_id__in={e.resource_id for e in exceptions},
        status__in=UNFIXED,
    ).only("policy_id", "resource_id", "severity", "status", "reason", "first_seen")
    return {
        (v.policy_id, v.resource_id): (v.status, Coverage({v.severity: 1}, v.reason, v.first_seen))
        for v in rows
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
        "requested": exception.subject_sha256,
        "policy": [policy.pk, policy.current_version, policy.severity] if policy else None,
        "resource": [resource.pk, str(resource.changed_xid)] if resource else None,
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
