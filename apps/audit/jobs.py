"""The job that verifies a tenant's trail: reads it in short transactions, and the store in none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from apps.core.context import current_tenant_id, tenant_transaction
from apps.jobs.models import Job
from apps.jobs.registry import JobKind
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from .options import trusted_keys
from .services import record
from .verification.verify import verify_tenant

JOB_TYPE = "audit.verify"
NAMED = 100
TELL_SECONDS = 1.0


def request_verification() -> Job:
    """Have the context's tenant's trail verified; the job's result says what is wrong, and where."""
    return enqueue(JOB_TYPE)


def run_verification(handle: JobHandle) -> Mapping[str, Any]:
    told = [0.0]

    def progress(done: int, total: int) -> None:
        if time.monotonic() - told[0] >= TELL_SECONDS:
            told[0] = time.monotonic()
            handle.checkpoint(done, total, "rows verified")

    found = verify_tenant(handle.tenant_id, trusted=trusted_keys(), progress=progress).as_dict()
    found["problems"] = found["problems"][:NAMED]
    summary = {
        name: found[name] for name in ("rows", "sealed", "unsealed", "checkpoints", "wrong", "by_code")
    }
    with tenant_transaction(current_tenant_id()):
        record("audit.trail.verified", ("jobs.job", str(handle.job_id)), summary)
    return found


VERIFY = JobKind(JOB_TYPE, "jobs", "Verify the audit trail", run_verification)
