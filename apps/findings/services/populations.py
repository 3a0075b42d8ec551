"""Over how many resources a scan evaluated each policy: what makes a report's completeness provable.

One count over the estate by type at the scan's end, and one row a policy; no resource is looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Sum

from apps.core.context import current_tenant_id

from ..models import EvaluationError, ScanRun
from ..queries import violation_counts
from .scan_plan import Ready

Population = Mapping[str, Mapping[str, int]]

_POPULATION = """
SELECT provider, type, count(*), count(*) FILTER (WHERE status IS DISTINCT FROM 'reported') FROM resources
WHERE tenant_id = %s AND status IS DISTINCT FROM 'deleted' GROUP BY provider, type ORDER BY provider, type
"""

# As judged: a policy that changed during the scan was left to the next one, and has no row.
_JUDGED = """
INSERT INTO policy_evaluations
    (tenant_id, scan_id, policy_id, policy_version, outcome, provider, types, evaluated, open, excepted, undecided)
SELECT %(tenant)s, %(scan)s, p.id, p.current_version, 'judged', r.provider,
       CASE WHEN r.types = '*' THEN NULL ELSE string_to_array(r.types, E'\\n') END,
       r.evaluated, r.open, r.excepted,
       greatest(r.undecided, CASE WHEN %(partly)s THEN coalesce((
           SELECT e.undecided FROM policy_evaluations e
           WHERE e.tenant_id = %(tenant)s AND e.policy_id = p.id ORDER BY e.at DESC LIMIT 1), 0) ELSE 0 END)
FROM unnest(%(policies)s::text[], %(stamps)s::text[], %(providers)s::text[], %(types)s::text[],
            %(evaluated)s::bigint[], %(open)s::bigint[], %(excepted)s::bigint[], %(undecided)s::bigint[])
     r (id, stamp, provider, types, evaluated, open, excepted, undecided)
JOIN policies p ON p.id = r.id AND p.tenant_id = %(tenant)s AND p.changed_xid = r.stamp::xid8
WHERE p.status = 'active'
"""
_FAILED = """
INSERT INTO policy_evaluations (tenant_id, scan_id, policy_id, policy_version, outcome)
SELECT %(tenant)s, %(scan)s, p.id, p.current_version, 'failed'
FROM policies p WHERE p.tenant_id = %(tenant)s AND p.id = ANY(%(failed)s)
"""


def record_evaluations(
    *, scan: ScanRun, ready: Sequence[Ready], failed: Collection[str], incremental: bool
) -> None:
    """Write the population of `scan` and a row for each policy that it judged or failed on.

    An incremental scan hears of undecided resources that changed alone: the last scan's stay counted until a
    full one looks at them again. Call it inside a transaction, when the scan's last violation is written.
    """
    tenant = current_tenant_id()
    with connection.cursor() as cursor:
        cursor.execute(_POPULATION, [tenant])
        population: dict[str, dict[str, int]] = {}
        resources = 0
        for provider, type_, n, judged_of_it in cursor.fetchall():
            population.setdefault(provider, {})[type_] = n
            resources += judged_of_it
        ScanRun.objects.filter(pk=scan.pk).update(population=population, resources=resources)
        judged = [policy for policy in ready if policy.policy_id not in failed]
        values: dict[str, Any] = {
            "tenant": tenant,
            "scan": scan.pk,
            "partly": incremental,
            "failed": sorted(failed),
        }
        cursor.execute(_JUDGED, values | _columns(judged, population, scan))
        cursor.execute(_FAILED, values)


def _columns(judged: Sequence[Ready], population: Population, scan: ScanRun) -> dict[str, Any]:
    open_, excepted = Counter[str](), Counter[str]()
    for row in violation_counts():
        if row.status == "open":
            open_[row.policy_id] += row.n
        elif row.status == "suppressed":
            excepted[row.policy_id] += row.n
    errors = EvaluationError.objects.filter(scan=scan).order_by().values_list("policy_id")
    undecided = {policy_id: n or 0 for policy_id, n in errors.annotate(n=Sum("resources"))}
    ids = [policy.policy_id for policy in judged]
    return {
        "policies": ids,
        "stamps": [policy.stamp for policy in judged],
        "providers": [policy.rule.provider or "any" for policy in judged],
        "types": [
            "*" if p.rule.resource_types is None else "\n".join(sorted(p.rule.resource_types)) for p in judged
        ],
        "evaluated": [evaluated(population, policy) for policy in judged],
        "open": [open_[policy_id] for policy_id in ids],
        "excepted": [excepted[policy_id] for policy_id in ids],
        "undecided": [undecided.get(policy_id, 0) for policy_id in ids],
    }


def evaluated(population: Population, policy: Ready) -> int:
    """How many resources the policy looks at, of a population by provider and type."""
    provider, types = policy.rule.provider, policy.rule.resource_types
    of_provider = [types_ for name, types_ in population.items() if provider in (None, "", "any", name)]
    if types is None:
        return sum(sum(by_type.values()) for by_type in of_provider)
    return sum(by_type.get(type_, 0) for by_type in of_provider for type_ in types)
