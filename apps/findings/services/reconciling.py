"""Whether the sums that screens show are what the rows and events say, and making them so again.

The triggers of `violations` keep them exact in the transaction of each change; whoever has the owner's rights can make
them lie all the same, or a restored table can. So they are counted again: by `manage.py posture verify`, and once a
day by a job that fails, and says where, when they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from apps.audit.services import record
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import SumsDiffer
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from ..history import REBUILT, daily_drift
from ..queries import counter_drift

JOB_TYPE = "posture.verify"
NAMED = 20


@dataclass(frozen=True)
class Difference:
    """`by` is how many more the rows (or events) say than the sum; `day` is None for what there is now."""

    table: str
    day: date | None
    policy_id: str
    severity: str
    status: str
    by: int


def differences() -> list[Difference]:
    """Of the context's tenant, of one moment."""
    now = [
        Difference("violation_counters", None, c.policy_id, c.severity, c.status, c.n)
        for c in counter_drift()
    ]
    return now + [Difference("posture_days", *row) for row in daily_drift()]


def verify_posture(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler. Raises SumsDiffer, which the job's error then says."""
    with tenant_transaction(current_tenant_id()):
        found = differences()
        record("findings.posture.verified", ("jobs.job", str(handle.job_id)), {"differences": len(found)})
    if found:
        first = ", ".join(
            f"{d.table} {d.day or ''} {d.policy_id} {d.severity} {d.status} {d.by:+}" for d in found[:3]
        )
        raise SumsDiffer(
            f"{len(found)} sums differ from what was recorded, first: {first}. See `posture rebuild`."
        )
    return {"differences": 0}


def ask_for_verification() -> int:
    """The sweep: once a day."""
    key = f"{JOB_TYPE}:{timezone.now().date()}"
    if Job.objects.filter(idempotency_key=key).exists():
        return 0
    enqueue(JOB_TYPE, {}, idempotency_key=key)
    return 1


_COUNTED = """
SELECT coalesce(policy_id, '') AS policy_id, severity, status, count(*) AS n FROM (
    SELECT policy_id, severity, status FROM violations WHERE tenant_id = %(tenant)s
    UNION ALL SELECT policy_id, severity, 'fixed' FROM violations_history WHERE tenant_id = %(tenant)s
) v GROUP BY 1, 2, 3
"""
# By what is missing, so that a change that comes meanwhile is added to what it should be added to.
_COUNTERS = f"""
INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
SELECT %(tenant)s, policy_id, severity, status, coalesce(v.n, 0) - coalesce(s.n, 0)
FROM ({_COUNTED}) v
FULL JOIN (SELECT policy_id, severity, status, n FROM violation_counters WHERE tenant_id = %(tenant)s) s
    USING (policy_id, severity, status)
WHERE coalesce(v.n, 0) <> coalesce(s.n, 0) ORDER BY 2, 3, 4
ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n
"""  # noqa: S608
_DAYS = f"""
INSERT INTO posture_days AS d (tenant_id, day, policy_id, severity, status, delta)
SELECT %(tenant)s, day, policy_id, severity, status, coalesce(e.delta, 0) - coalesce(s.delta, 0)
FROM ({REBUILT}) e
FULL JOIN (SELECT day, policy_id, severity, status, delta FROM posture_days WHERE tenant_id = %(tenant)s) s
    USING (day, policy_id, severity, status)
WHERE coalesce(e.delta, 0) <> coalesce(s.delta, 0) ORDER BY 2, 3, 4, 5
ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = d.delta + excluded.delta
"""  # noqa: S608


def rebuild_posture() -> dict[str, int]:
    """Bring every sum of the context's tenant to what its rows say, as the owner role; {table: sums changed}.

    In one snapshot: where a change comes between, PostgreSQL refuses and nothing is changed (try again).
    """
    tenant_id = current_tenant_id()
    changed: dict[str, int] = {}
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for table, statement in (("violation_counters", _COUNTERS), ("posture_days", _DAYS)):
            cursor.execute(statement, {"tenant": tenant_id})
            changed[table] = cursor.rowcount
    with tenant_transaction(tenant_id):
        record("findings.posture.rebuilt", None, changed)
    return changed


def told(found: list[Difference]) -> dict[str, Any]:
    """For a command: `failed` where something differs."""
    named = [asdict(difference) for difference in found[:NAMED]]
    return {"differences": len(found), "first": named, "failed": bool(found)}
