"""Where the estate stands, for the home page: counts of violations by severity and what people see of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.catalog.models import SEVERITIES
from apps.findings.queries import ViolationCount, violation_counts

WORST_FIRST = tuple(reversed(SEVERITIES))


@dataclass
class Posture:
    """Counts with lapsed exceptions corrected: open by severity, worst first, and the totals of the others."""

    open_by_severity: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WORST_FIRST, 0))
    excepted: int = 0
    fixed: int = 0
    worst_policies: list[tuple[str, int]] = field(default_factory=list)

    @property
    def open(self) -> int:
        return sum(self.open_by_severity.values())

    @property
    def known(self) -> bool:
        return bool(self.open or self.excepted or self.fixed)


def posture(top: int = 5, counts: Iterable[ViolationCount] | None = None) -> Posture:
    """The tenant's posture now, or by the `counts` of another day, and the `top` policies with most open
    violations as (policy id, number)."""
    found = Posture()
    by_policy: dict[str, int] = {}
    for row in violation_counts() if counts is None else counts:
        if row.status == "open":
            found.open_by_severity[row.severity] += row.n
            by_policy[row.policy_id] = by_policy.get(row.policy_id, 0) + row.n
        elif row.status == "suppressed":
            found.excepted += row.n
        else:
            found.fixed += row.n
    worst = sorted(by_policy.items(), key=lambda item: (-item[1], item[0]))
    found.worst_policies = [(policy, n) for policy, n in worst if n and policy][:top]
    return found
