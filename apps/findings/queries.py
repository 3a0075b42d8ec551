"""Named querysets: what pages, the API, exports and reports read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet

from .expressions import effective_status, lapsed, shown_exception_status
from .models import PolicyException, Violation, ViolationCounter, ViolationHistory, ViolationRecord


def violations() -> QuerySet[Violation]:
    """The violations that something may yet become of, with `shown_status`: open, suppressed or fixed as people
    see it now. Those that were archived are not among them: see `violation_records`."""
    return Violation.objects.annotate(shown_status=effective_status())


def violation_records() -> QuerySet[ViolationRecord]:
    """Every violation that there ever was, archived or not, with `shown_status`."""
    return ViolationRecord.objects.annotate(shown_status=effective_status())


def occurrences_before(violation: Violation | ViolationRecord) -> QuerySet[ViolationHistory]:
    """Archived violations of the same policy and resource, the latest first: one that comes back is a new row."""
    return ViolationHistory.objects.filter(
        resource_id=violation.resource_id, policy_id=violation.policy_id, closed_at__lte=violation.first_seen
    ).order_by("-closed_at")


def exceptions() -> QuerySet[PolicyException]:
    """Every exception, with `shown_status` as people see it now, and whom and what it names."""
    rows = PolicyException.objects.select_related("policy", "resource", "created_by", "decided_by")
    return rows.annotate(shown_status=shown_exception_status())


def latest_open_violations() -> QuerySet[Violation]:
    """The specification's first sample query (3.5): of each resource the open violations last seen latest.

    The same set of rows; the order is by severity's rank, where the sample's text order puts medium first.
    """
    later = Violation.objects.filter(
        status="open", resource_id=OuterRef("resource_id"), last_seen__gt=OuterRef("last_seen")
    )
    # The sample's join has no status on the outer side: a fixed violation seen at the same instant as the
    # latest open one belongs to the set.
    latest_open = Violation.objects.filter(
        status="open", resource_id=OuterRef("resource_id"), last_seen=OuterRef("last_seen")
    )
    return (
        violations()
        .filter(Exists(latest_open), ~Exists(later))
        .order_by("-severity_rank", "-last_seen", "-id")
    )


@dataclass(frozen=True)
class ViolationCount:
    """How many violations of a policy have a severity and a status as shown now. `policy_id` may be ""."""

    policy_id: str
    severity: str
    status: str
    n: int


def violation_counts() -> list[ViolationCount]:
    """The stored counters, corrected by what has lapsed and is not swept yet: never a count over the table."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in ViolationCounter.objects.values_list("policy_id", "severity", "status", "n"):
        counts[row[0], row[1], row[2]] += row[3]
    over = Violation.objects.filter(lapsed()).order_by().values_list("policy_id", "severity")
    for policy_id, severity, n in over.annotate(n=Count("pk")):
        counts[policy_id or "", severity, "suppressed"] -= n
        counts[policy_id or "", severity, "open"] += n
    return [ViolationCount(*key, n) for key, n in sorted(counts.items()) if n]


def counter_drift() -> list[ViolationCount]:
    """Where the stored counters differ from the table; empty when they are right. For the nightly check."""
    stored = {(c.policy_id, c.severity, c.status): c.n for c in ViolationCounter.objects.exclude(n=0)}
    actual: dict[tuple[str, str, str], int] = {}
    rows = (
        ViolationRecord.objects.order_by()
        .values_list("policy_id", "severity", "status")
        .annotate(n=Count("pk"))
    )
    for policy_id, severity, status, n in rows:
        actual[policy_id or "", severity, status] = n
    keys = {key for key in stored | actual if stored.get(key, 0) != actual.get(key, 0)}
    return [ViolationCount(*key, actual.get(key, 0) - stored.get(key, 0)) for key in sorted(keys)]
