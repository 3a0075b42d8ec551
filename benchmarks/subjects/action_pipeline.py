"""The action pipeline on an executor that does nothing, beside a Celery chain with the same puts and fewer commits.

Ours: an action from proposal over plan, approval, execution and verification to its end, its job run in this process.
Theirs: a chain of five tasks, run in this process too (so neither pays for a broker), each of which puts one artifact of
the same size under the same lock by the same function, and commits one row with its event and its audit row.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import Celery, chain
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.actions.evidence import RETENTION, manifest_of
from apps.actions.models import Action, ActionEvent
from apps.actions.services import approve_action, propose_action
from apps.audit.services import record
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.ids import new_id
from apps.evidence.keys import evidence_key
from apps.evidence.store import put_artifact
from apps.jobs.running import run_job
from apps.tenancy.roles import Role
from benchmarks.frame import Bench, Row, at_most
from tests.fixtures.cloud import FOLDER
from tests.fixtures.estate import acting_as, make_users
from tests.fixtures.rows import make_resource

SECONDS = 120
STEPS = 5


def run(bench: Bench) -> Iterator[Row]:
    settings.ACTIONS_CLOUDS = "tests.fixtures.cloud.open_file_cloud"
    settings.ACTIONS_EXECUTORS = ["tests.fixtures.cloud.EXECUTORS"]
    os.environ[FOLDER] = str(Path(tempfile.mkdtemp()) / "cloud")
    count = bench.size(10, 3)
    tenant = bench.tenant()
    users = make_users(tenant)
    with acting_as(users[Role.OPERATOR]):
        resource = make_resource(0, account="1")
    size = _ours(tenant.pk, users, resource)
    theirs = _Chain(tenant.pk, size)
    ours_took, theirs_took = bench.race(
        lambda: [_ours(tenant.pk, users, resource) for _ in range(count)],
        lambda: [theirs.run() for _ in range(count)],
    )
    yield at_most(3.0, f"{count} actions that do nothing, beside {count} chains", ours_took, theirs_took)


def _ours(tenant_id: uuid.UUID, users: Any, resource: Any) -> int:
    """One action to its end; the mean size of its artifacts."""
    with acting_as(users[Role.OPERATOR]):
        action = propose_action(type="test.nothing", resources=[resource], send=False)
    action = _run(tenant_id, action)
    with acting_as(users[Role.APPROVER]):
        approve_action(action=action, plan_sha256=action.plan_sha256, send=False)
    action = _run(tenant_id, action)
    manifest = manifest_of(action.result)
    if action.status != "completed" or len(manifest) != STEPS:
        raise AssertionError(f"the action is {action.status} with {len(manifest)} artifacts: {action.result}")
    return sum(entry["size"] for entry in manifest) // STEPS


def _run(tenant_id: uuid.UUID, action: Action) -> Action:
    with tenant_transaction(tenant_id):
        job_id = Action.objects.get(pk=action.pk).job_id
    run_job(tenant_id, job_id)
    with tenant_transaction(tenant_id):
        return Action.objects.get(pk=action.pk)


class _Chain:
    """A chain of tasks as one would write it with Celery alone."""

    def __init__(self, tenant_id: uuid.UUID, size: int) -> None:
        self.tenant_id, self.size = tenant_id, size
        app = Celery("bench", broker="memory://")
        app.conf.task_always_eager = app.conf.task_eager_propagates = True
        self.step = app.task(self._step, name="bench.step")

    def run(self) -> None:
        with tenant_transaction(self.tenant_id, Actor.system("bench")):
            action = Action(id=new_id(), type="bench", status="failed", params={})
            action.save(force_insert=True)
        chain(*(self.step.si(str(action.pk), number) for number in range(STEPS))).apply()

    def _step(self, action_id: str, number: int) -> None:
        body = json.dumps({"step": number, "pad": "x" * self.size}).encode()
        with tenant_scope(self.tenant_id, Actor.system("bench")):
            artifact = put_artifact(
                evidence_key(uuid.UUID(action_id), f"step-{number}.json"), io.BytesIO(body), "application/json",
                retain_until=timezone.now() + RETENTION["standard"] + timedelta(days=1),
            )  # fmt: skip
            with transaction.atomic():
                Action.objects.filter(pk=action_id).update(result={"manifest": [artifact.as_manifest()]})
                ActionEvent(action_id=uuid.UUID(action_id), message=f"step {number}").save(force_insert=True)
                record("bench.step.done", ("action", action_id), {"step": number})
