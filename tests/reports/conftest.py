"""An estate whose rows are committed: a report is read in many transactions, by connections of its own."""

from __future__ import annotations

import hashlib
import json
import uuid
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pytest
from django.db import connections, transaction

from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.ids import new_id
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.reports.models import Report
from apps.reports.services import request_report
from apps.tenancy.models import User
from apps.tenancy.services import create_user


class Estate:
    """A tenant with three people, a policy and resources; violations are moved by their events' times."""

    def __init__(self, name: str) -> None:
        self.tenant_id = new_id()
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO tenants (id, name, slug) VALUES (%s, %s, %s)",
                [self.tenant_id, name, f"{name.lower()}-{uuid.uuid4().hex[:8]}"],
            )
        with self.acting():
            self.people: dict[str, User] = {
                role: create_user(upn=f"{role}@{name.lower()}.example", role=role, password=None)
                for role in ("viewer", "operator", "approver")
            }

    def acting(self, role: str | None = None) -> AbstractContextManager[object]:
        actor = Actor.user(self.people[role].pk) if role else Actor.system("test")
        return tenant_transaction(self.tenant_id, actor)

    def scope(self, role: str | None = None) -> AbstractContextManager[object]:
        actor = Actor.user(self.people[role].pk) if role else Actor.system("test")
        return tenant_scope(self.tenant_id, actor)

    def resource(self, name: str) -> str:
        key = f"r-{uuid.uuid4().hex}"
        self.sql(
            "INSERT INTO resources (id, tenant_id, provider, type, name, native_id)"
            " VALUES (%s, %s, 'aws', 'aws.s3', %s, %s)",
            [key, self.tenant_id, name, f"arn:aws:s3:::{name}"],
        )
        return key

    def policy(self, name: str) -> str:
        key = f"p-{uuid.uuid4().hex}"
        self.sql(
            "INSERT INTO policies (id, tenant_id, name, provider, type, status, created_at)"
            " VALUES (%s, %s, %s, 'aws', 'aws.s3', 'active', '2024-01-01Z')",
            [key, self.tenant_id, name],
        )
        return key

    def violation(
        self, policy: str, resource: str, *events: tuple[str, str], severity: str = "high"
    ) -> uuid.UUID:
        """A violation whose history is `events`: (kind, day). The row itself says what the last one does."""
        key = new_id()
        status = {"fixed": "fixed", "excepted": "suppressed"}.get(events[-1][0], "open")
        with transaction.atomic(using="owner"):
            self.sql(
                "INSERT INTO violations (id, tenant_id, policy_id, resource_id, severity, reason, status, first_seen)"
                " VALUES (%s, %s, %s, %s, %s, 'no owner', %s, %s)",
                [key, self.tenant_id, policy, resource, severity, status, events[0][1]],
            )
            self.sql("DELETE FROM violation_events WHERE violation_id = %s", [key])
            for kind, day in events:
                self.sql(
                    "INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind, at)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    [self.tenant_id, key, policy, resource, severity, kind, day],
                )
        return key

    def sql(self, statement: str, values: list[object]) -> None:
        """As the owner: times in the past are nobody else's to write."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, values)

    def request(self, first: str, last: str, role: str = "viewer") -> Report:
        with self.scope(role):
            return request_report(
                period_from=date.fromisoformat(first), period_to=date.fromisoformat(last), send=False
            )

    def run(self, report: Report) -> Report:
        run_job(self.tenant_id, report.job_id)
        with self.acting():
            return Report.objects.get(pk=report.pk)

    def job(self, report: Report) -> Job:
        with self.acting():
            return Job.objects.get(pk=report.job_id)


@pytest.fixture
def estate(transactional_db: None) -> Estate:
    return Estate("Acme")


@pytest.fixture
def rival(transactional_db: None) -> Estate:
    return Estate("Rival")


def remanifest(folder: Path) -> None:
    """As somebody does who changes files and their lines in the manifest along with them."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        content = (folder / entry["path"]).read_bytes()
        entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
