"""What an exception would mute, for the rows of a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count

from apps.catalog.models import SEVERITIES

from ..models import PolicyException, Violation, ViolationCounter
from ..services.exception_sql import covered_counts

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
    """{exception id: Coverage} by at most four queries, however many exceptions there are.

    A pending exception covers what is open, a decided one also what is suppressed. A whole policy's
    violations are counted by the kept counters, a resource's and a pair's by their indexes; a filtered set's
    are looked for.
    """
    plain = [e for e in exceptions if e.selector is None]
    found = _of_sets([e for e in exceptions if e.selector is not None])
    return found | _of_plain(plain)


def _of_sets(exceptions: Sequence[PolicyException]) -> dict[object, Coverage]:
    pending = {e.pk: e.status == "pending" for e in exceptions}
    counts: dict[object, Counter[str]] = {pk: Counter() for pk in pending}
    since: dict[object, datetime] = {}
    for pk, status, severity, n, oldest in covered_counts(list(pending)):
        if status in (OPEN if pending[pk] else UNFIXED):
            counts[pk][severity] += n
            since[pk] = min(since.get(pk, oldest), oldest)
    return {pk: Coverage(dict(counts[pk]), since=since.get(pk)) for pk in pending}


def _of_plain(exceptions: Sequence[PolicyException]) -> dict[object, Coverage]:
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
