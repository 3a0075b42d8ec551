"""`scans.finops`: the detectors over the estate, a statement a resource type, priced by the last 30 days of bills.

Savings are the resource's own costs times the detector's share, per month of 30 days, exact and rounded to the
cent; without costs a recommendation says what to do and no amount. Each statement is a transaction: a killed scan
has done part of its work, and doing it again changes nothing. What a person has decided is not taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.audit.services import record
from apps.catalog.resource_costs import on_demand_usage, resource_costs, resource_days
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.plans import forget_plans
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue
from apps.rules.sql.query import group_by_type, hits_query

from ..models import Recommendation
from ..services.sql_names import named
from .detectors import Detector, detectors
from .sql import COVERAGE, FOUND, REALISED

JOB_TYPE = "scans.finops"
STATEMENT_TIMEOUT = "15min"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('scans.finops'), hashtext(%s))"

COMMITMENT_SHARE = Decimal("0.2")
COMMITMENT_ASSUMES = "A commitment of a year costs a fifth less than the same usage on demand."


@dataclass(frozen=True)
class Outcome:
    """`found` is what holds now; `errors` are resources on which a detector could not be decided."""

    found: int = 0
    errors: int = 0
    opened: int = 0
    changed: int = 0
    gone: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


def start_finops_scan(*, idempotency_key: str | None = None, send: bool = True) -> Job:
    """Ask for a scan of the context's tenant."""
    return enqueue(JOB_TYPE, {}, idempotency_key=idempotency_key, send=send)


def run_finops_scan(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler; returns the counts of `Outcome`, and the number of detectors."""
    now = timezone.now()
    table = {detector.rule: detector for detector in detectors()}
    groups = sorted(
        group_by_type([(rule, detector.compiled(now)) for rule, detector in table.items()]).items(),
        key=lambda group: group[0] or "",
    )
    outcome = Outcome()
    for number, (type_, policies) in enumerate(groups):
        handle.checkpoint(number, len(groups) + 1, type_ or "any type")
        hits, values = named(
            hits_query(policies, tenant_id=current_tenant_id(), resource_type=type_, without_deleted=True)
        )
        outcome += _write(
            FOUND.format(hits=hits, costs=resource_costs()),
            {**values, "type": type_, **_columns([table[rule] for rule, _ in policies])},
        )
    handle.checkpoint(len(groups), len(groups) + 1, "commitments")
    outcome += _write(
        COVERAGE.format(usage=on_demand_usage()), {"share": COMMITMENT_SHARE, "assumes": COMMITMENT_ASSUMES}
    )
    counts = {"detectors": len(table) + 1, **asdict(outcome)}
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        if Recommendation.objects.filter(status="accepted", gone_at__isnull=False).exists():
            cursor.execute(REALISED.format(days=resource_days()), {"tenant": current_tenant_id()})
        record("findings.finops_scan.succeeded", None, {"job": str(handle.job_id), **counts})
    return counts


def _write(statement: str, values: dict[str, Any]) -> Outcome:
    tenant_id = current_tenant_id()
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'; SET LOCAL jit = off")
        cursor.execute(_LOCK, [str(tenant_id)])
        forget_plans(cursor)
        cursor.execute(statement, {**values, "tenant": tenant_id})
        return Outcome(*(int(n) for n in cursor.fetchone()))


def _columns(chosen: Sequence[Detector]) -> dict[str, Any]:
    return {
        "rules": [d.rule for d in chosen],
        "kinds": [d.kind for d in chosen],
        "severities": [d.severity for d in chosen],
        "titles": [d.title for d in chosen],
        "advices": [d.advice for d in chosen],
        "shares": [d.share for d in chosen],
        "confidences": [d.confidence for d in chosen],
        "risks": [d.risk for d in chosen],
        "remedies": [d.remedy for d in chosen],
        "assumptions": [d.assumes for d in chosen],
    }
