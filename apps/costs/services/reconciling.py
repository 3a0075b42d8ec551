"""Whether the sums of costs are what their lines add up to, and making them so again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.audit.services import record
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import SumsDiffer
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from ..models import CostSettings
from .rollups import Difference, check_sums, lock_costs, rebuild

JOB_TYPE = "costs.verify"


def verify_sums() -> list[Difference]:
    """The first differences of each table of the context's tenant; [] where all is right, or there are no costs."""
    settings = CostSettings.objects.first()
    return check_sums(settings) if settings is not None else []


def rebuild_sums() -> dict[str, Any]:
    """Make every sum of the context's tenant again from the lines, in the open transaction."""
    settings = CostSettings.objects.first()
    if settings is None:
        return {"rebuilt": False}
    lock_costs()
    wrong = len(check_sums(settings))
    with connection.cursor() as cursor:
        rebuild(cursor, settings)
    record("costs.sums.rebuilt", None, {"wrong": wrong})
    return {"rebuilt": True, "wrong": wrong}


def verify_costs(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler. Raises SumsDiffer, which the job's error then says."""
    with tenant_transaction(current_tenant_id()):
        found = verify_sums()
        record("costs.sums.verified", ("jobs.job", str(handle.job_id)), {"differences": len(found)})
    if found:
        first = ", ".join(f"{d.table} {d.key}: {d.stored}, its lines {d.lines}" for d in found[:3])
        raise SumsDiffer(f"{len(found)} sums differ from their lines, first: {first}. See `costs rebuild`.")
    return {"differences": 0}


def ask_for_verification() -> int:
    """The sweep: once a day for a tenant that has costs."""
    key = f"{JOB_TYPE}:{timezone.now().date()}"
    if not CostSettings.objects.exists() or Job.objects.filter(idempotency_key=key).exists():
        return 0
    enqueue(JOB_TYPE, {}, idempotency_key=key)
    return 1
