"""A worker killed after the work and before its job was recorded: the next attempt records what was done."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.catalog.models import ImportRun, Resource
from apps.catalog.sources import stage
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.findings.models import ScanRun, ViolationEvent
from apps.findings.services.scanning import start_policy_scan
from apps.jobs import running
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.jobs.services import enqueue
from apps.tenancy.models import Tenant
from tests.fixtures.estate import UNOWNED_BUCKETS, bucket, import_policy, import_rows


class Killed(BaseException):
    """What ends a process without any of its code having a say."""


def _run_and_die_before_the_end(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """And let its lease run out."""

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(running, "_end", die)
        run_job(job.tenant_id, job.pk)
    with tenant_transaction(job.tenant_id):
        over = timezone.now() - timedelta(seconds=1)
        assert Job.objects.filter(pk=job.pk, status="running").update(lease_until=over) == 1


@pytest.mark.django_db
def test_a_scan_is_not_done_twice(in_tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    import_policy(UNOWNED_BUCKETS)
    import_rows([bucket(n) for n in range(4)])
    job = start_policy_scan(send=False)
    _run_and_die_before_the_end(job, monkeypatch)
    run_job(job.tenant_id, job.pk)
    job.refresh_from_db()
    scan = ScanRun.objects.get(job_id=job.pk)
    assert (job.status, job.attempts, job.result["scan"]) == ("succeeded", 2, str(scan.pk))
    assert (job.result["opened"], scan.opened, scan.status) == (2, 2, "succeeded")
    assert ViolationEvent.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_import_whose_staged_file_is_gone_already_succeeds(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(json.dumps(bucket(n)) + "\n" for n in range(3)).encode()
    with tenant_scope(tenant.id, Actor.system("test")):
        key = stage("rows.ndjson", io.BytesIO(rows))
        with tenant_transaction(tenant.id):
            job = enqueue("inventory.import", {"object_key": key, "name": "rows.ndjson"}, send=False)
    _run_and_die_before_the_end(job, monkeypatch)
    run_job(tenant.id, job.pk)
    with tenant_transaction(tenant.id, Actor.system("test")):
        job.refresh_from_db()
        assert (job.status, job.error) == ("succeeded", "")
        assert job.result["written"] == 3
        assert ImportRun.objects.filter(job_id=job.pk).count() == 1
        assert Resource.objects.count() == 3
