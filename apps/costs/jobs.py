"""The costs' kinds of jobs: import, with detection behind it; and detection by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.catalog.jobs import run_import
from apps.jobs.registry import JobKind, register_job
from apps.jobs.running import JobHandle

from .services.importing import import_costs


def _import(handle: JobHandle) -> Mapping[str, Any]:
    return run_import(import_costs, handle)


def register() -> None:
    register_job(JobKind(type="costs.import", queue="jobs", title="Cost import", run=_import))
