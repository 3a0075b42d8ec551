"""The costs' kinds of jobs: import with detection behind it, and detection by itself, once a day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from apps.catalog.jobs import run_import
from apps.core.context import current_tenant_id, tenant_transaction
from apps.jobs.models import Job
from apps.jobs.registry import JobKind, register_job, register_sweep
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from .models import CostSettings
from .services.budgets import check_budgets
from .services.detecting import detect_anomalies
from .services.importing import import_costs
from .services.reconciling import JOB_TYPE as VERIFY
from .services.reconciling import ask_for_verification, verify_costs

DETECT = "costs.detect"


def _import(handle: JobHandle) -> Mapping[str, Any]:
    """What came in is looked at at once: an anomaly or a passed budget is no news a day later."""
    return {**run_import(import_costs, handle), **_look(handle)}


def _detect(handle: JobHandle) -> Mapping[str, Any]:
    return _look(handle)


def _look(handle: JobHandle) -> dict[str, Any]:
    handle.checkpoint(note="Looking for anomalies")
    with tenant_transaction(current_tenant_id()):
        detected = detect_anomalies()
    with tenant_transaction(current_tenant_id()):
        told = check_budgets()
    return {**detected.summary(), "budget_alerts": told}


def ask_for_detection() -> int:
    """The sweep: once a day for a tenant that has costs, for time passes also where no bill comes in."""
    if not CostSettings.objects.exists():
        return 0
    key = f"{DETECT}:{timezone.now().date()}"
    if Job.objects.filter(idempotency_key=key).exists():
        return 0
    enqueue(DETECT, {}, idempotency_key=key)
    return 1


def register() -> None:
    register_job(JobKind(type="costs.import", queue="jobs", title="Cost import", run=_import))
    register_job(JobKind(type=DETECT, queue="jobs", title="Cost anomalies", run=_detect))
    register_job(JobKind(type=VERIFY, queue="jobs", title="Verification of cost sums", run=verify_costs))
    register_sweep("costs.verification", ask_for_verification)
    register_sweep("costs.detection", ask_for_detection)
