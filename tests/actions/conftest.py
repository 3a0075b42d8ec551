"""A tenant with three buckets in its inventory and in a cloud of files, and who acts on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from apps.actions.models import Action, ActionEvent, ActionTarget
from apps.actions.services import approve_action, propose_action
from apps.catalog.models import Resource
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.jobs.models import QUEUED, Job
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.services import create_user
from tests.fixtures import cloud as clouds
from tests.fixtures.cloud import FileCloud
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_resource

KIND = "test.set_public"


@pytest.fixture
def cloud(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> FileCloud:
    monkeypatch.setenv(clouds.FOLDER, str(tmp_path / "cloud"))
    settings.ACTIONS_CLOUDS = "tests.fixtures.cloud.open_file_cloud"
    settings.ACTIONS_EXECUTORS = ["tests.fixtures.cloud.EXECUTORS"]
    return FileCloud(tmp_path / "cloud")


class Desk:
    """A tenant's people, its buckets, and its actions driven by hand."""

    def __init__(self, tenant: Tenant, users: dict[Role, User], cloud: FileCloud) -> None:
        self.tenant, self.users, self.cloud = tenant, users, cloud
        with acting_as(users[Role.OPERATOR]):
            self.buckets = [make_resource(n, account="1") for n in range(3)]
            self.second = create_user(upn="second@example.org", role=Role.APPROVER, password=None)
        for bucket in self.buckets:
            cloud.make(bucket.native_id, public=True)

    @property
    def operator(self) -> User:
        return self.users[Role.OPERATOR]

    @property
    def approver(self) -> User:
        return self.users[Role.APPROVER]

    def add_bucket(self, number: int, **values: Any) -> Resource:
        with acting_as(self.operator):
            bucket = make_resource(number, **{"account": "1", **values})
        self.cloud.make(bucket.native_id, public=True)
        self.buckets.append(bucket)
        return bucket

    def propose(self, resources: Sequence[Resource] | None = None, **more: Any) -> Action:
        more = {"type": KIND, "send": False, **more}
        with acting_as(more.pop("by", self.operator)):
            return propose_action(resources=list(resources or self.buckets[:1]), **more)

    def run(self, action: Action) -> Action:
        """One attempt of the action's job, as a worker makes it."""
        with tenant_transaction(self.tenant.id):
            job_id = Action.objects.get(pk=action.pk).job_id
            Job.objects.filter(pk=job_id, status=QUEUED).update(not_before=self.long_ago)
        assert job_id is not None
        run_job(self.tenant.id, job_id)
        return self.now(action)

    @property
    def long_ago(self) -> Any:
        from datetime import timedelta

        from django.utils import timezone

        return timezone.now() - timedelta(days=1)

    def run_until(self, action: Action, *states: str, turns: int = 20) -> Action:
        for _ in range(turns):
            found = self.run(action)
            if found.status in states:
                return found
        raise AssertionError(f"{found.status}, {self.events(action)}")

    def approve(self, action: Action, by: User | None = None) -> Action:
        with acting_as(by or self.approver):
            found = Action.objects.get(pk=action.pk)
            return approve_action(action=found, plan_sha256=found.plan_sha256, send=False)

    def planned(self, resources: Sequence[Resource] | None = None, **more: Any) -> Action:
        return self.run(self.propose(resources, **more))

    def done(self, resources: Sequence[Resource] | None = None, **more: Any) -> Action:
        return self.run(self.approve(self.planned(resources, **more)))

    def now(self, action: Action) -> Action:
        with tenant_transaction(self.tenant.id):
            return Action.objects.get(pk=action.pk)

    def events(self, action: Action) -> list[str]:
        with tenant_transaction(self.tenant.id):
            return list(
                ActionEvent.objects.filter(action=action).order_by("id").values_list("message", flat=True)
            )

    def targets(self, action: Action) -> list[ActionTarget]:
        with tenant_transaction(self.tenant.id):
            return list(ActionTarget.objects.filter(action=action).order_by("ordinal"))

    def job(self, action: Action) -> Job:
        with tenant_transaction(self.tenant.id):
            return Job.objects.get(pk=Action.objects.get(pk=action.pk).job_id)

    def inside(self) -> Any:
        return tenant_scope(self.tenant.id, Actor.system("test"))


@pytest.fixture
def desk(transactional_db: None, tenant: Tenant, users: dict[Role, User], cloud: FileCloud) -> Desk:
    return Desk(tenant, users, cloud)
