"""What posture is judged from, as of an instant: states of policies, their last evaluations, counts, population."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from apps.core.context import current_tenant_id

from ..history import counts_before
from ..queries import ViolationCount, violation_counts

Cell = tuple[str, str]


@dataclass(frozen=True)
class Evaluation:
    """The last time that a scan held a policy against the estate."""

    outcome: str
    provider: str
    types: frozenset[str] | None
    evaluated: int
    undecided: int
    at: datetime

    def cells(self, population: Mapping[Cell, int]) -> frozenset[Cell]:
        """The (provider, type) pairs of the estate that it looks at."""
        return frozenset(
            (provider, type_)
            for provider, type_ in population
            if self.provider in ("any", provider) and (self.types is None or type_ in self.types)
        )


@dataclass(frozen=True)
class PolicyFacts:
    status: str = ""
    ruled_at: datetime | None = None
    evaluation: Evaluation | None = None


@dataclass(frozen=True)
class Facts:
    """`counts` are (open, suppressed) violations by policy; `population` resources by (provider, type)."""

    policies: Mapping[str, PolicyFacts] = field(default_factory=dict)
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    population: Mapping[Cell, int] = field(default_factory=dict)


_POLICIES = """
SELECT i.id, s.status, s.ruled_at, e.outcome, e.provider, e.types, e.evaluated, e.undecided, e.at
FROM unnest(%(policies)s::text[]) i (id)
LEFT JOIN LATERAL (
    SELECT status, ruled_at FROM policy_states
    WHERE tenant_id = %(tenant)s AND policy_id = i.id AND at < %(before)s ORDER BY at DESC, id DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT outcome, provider, types, evaluated, undecided, at FROM policy_evaluations
    WHERE tenant_id = %(tenant)s AND policy_id = i.id AND at < %(before)s ORDER BY at DESC, id DESC LIMIT 1
) e ON true
"""

# The population is counted when a scan ends; one that judged a part of the estate counts all of it too.
_POPULATION = """
SELECT p.provider, t.type, t.n::bigint
FROM (
    SELECT population FROM scan_runs
    WHERE tenant_id = %(tenant)s AND population <> '{}'::jsonb AND finished_at < %(before)s
    ORDER BY finished_at DESC, id DESC LIMIT 1
) s, jsonb_each(s.population) p (provider, types), jsonb_each_text(p.types) t (type, n)
"""


def load_facts(policies: Collection[str], before: datetime, *, is_now: bool) -> Facts:
    """The facts of these policies just before an instant. `is_now`: the stored counters are asked instead of
    the events."""
    values: dict[str, Any] = {"tenant": current_tenant_id(), "policies": sorted(policies), "before": before}
    with connection.cursor() as cursor:
        cursor.execute(_POLICIES, values)
        known = {
            row[0]: PolicyFacts(row[1] or "", row[2], evaluation_of(row[3:])) for row in cursor.fetchall()
        }
        cursor.execute(_POPULATION, values)
        population = {(provider, type_): n for provider, type_, n in cursor.fetchall()}
    return Facts(known, counts_by_policy(violation_counts() if is_now else counts_before(before)), population)


def evaluation_of(row: tuple) -> Evaluation | None:  # type: ignore[type-arg]
    """Of (outcome, provider, types, evaluated, undecided, at); None where there was none."""
    outcome, provider, types, evaluated, undecided, at = row
    if outcome is None:
        return None
    return Evaluation(
        outcome, provider, None if types is None else frozenset(types), evaluated, undecided, at
    )


def counts_by_policy(counts: Collection[ViolationCount]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for row in counts:
        open_, excepted = found.get(row.policy_id, (0, 0))
        if row.status == "open":
            found[row.policy_id] = (open_ + row.n, excepted)
        elif row.status == "suppressed":
            found[row.policy_id] = (open_, excepted + row.n)
    return found
