"""Scans of one policy or one resource, and what a scan leaves to the next one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from apps.catalog.models import Policy, Resource
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.errors import InvalidInput
from apps.findings.models import EvaluationError, ScanRun, Violation
from apps.findings.queries import counter_drift
from apps.findings.services import scanning
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant
from tests.fixtures.estate import UNOWNED_BUCKETS, bucket, import_policy, import_rows, make_tenant

pytestmark = pytest.mark.django_db

TEAMLESS = UNOWNED_BUCKETS.replace("tag:owner", "tag:team").replace("bucket-has-owner", "bucket-has-team")


def scan(tenant: Tenant, **asked: Any) -> ScanRun:
    with tenant_transaction(tenant.id):
        job = start_policy_scan(send=False, **asked)
    run_job(tenant.id, job.pk)
    with tenant_transaction(tenant.id):
        job.refresh_from_db()
        assert job.status == "succeeded", job.error
        assert counter_drift() == []
        return ScanRun.objects.get(job_id=job.pk)


def statuses() -> dict[tuple[str, str], str]:
    rows = Violation.objects.select_related("policy", "resource")
    return {(v.policy.name, v.resource.name): v.status for v in rows if v.policy and v.resource}


@pytest.fixture
def estate(in_tenant: Tenant) -> Tenant:
    """Four buckets, of which 0 and 2 have no owner and none has a team; two policies."""
    import_rows([bucket(n) for n in range(4)])
    import_policy(UNOWNED_BUCKETS)
    import_policy(TEAMLESS)
    return in_tenant


def policy(name: str) -> Policy:
    return Policy.objects.get(name=name)


def resource(number: int) -> Resource:
    return Resource.objects.get(name=f"bucket-{number}")


def test_a_scan_of_one_policy_leaves_the_others_alone(estate: Tenant) -> None:
    run = scan(estate, policy_id=policy("bucket-has-owner").pk)
    assert (run.policies, run.resources, run.opened) == (1, 4, 2)
    assert run.policy_id == policy("bucket-has-owner").pk
    assert set(statuses()) == {("bucket-has-owner", "bucket-0"), ("bucket-has-owner", "bucket-2")}

    scan(estate)
    before = Violation.objects.get(policy__name="bucket-has-team", resource__name="bucket-0")
    run = scan(estate, policy_id=policy("bucket-has-owner").pk)
    assert (run.opened, run.fixed, run.still_open) == (0, 0, 2)
    after = Violation.objects.get(pk=before.pk)
    assert (after.status, after.last_seen, after.first_seen) == ("open", before.last_seen, before.first_seen)


def test_a_scan_of_one_resource_leaves_the_others_alone(estate: Tenant) -> None:
    scan(estate)
    import_rows([bucket(n) | {"tags": {"owner": "ada", "team": "x"}} for n in (0, 2)])
    run = scan(estate, resource_id=resource(0).pk)
    assert (run.resources, run.fixed, run.opened, run.still_open) == (1, 2, 0, 0)
    assert statuses() == {
        ("bucket-has-owner", "bucket-0"): "fixed",
        ("bucket-has-owner", "bucket-2"): "open",
        ("bucket-has-team", "bucket-0"): "fixed",
        **{("bucket-has-team", f"bucket-{n}"): "open" for n in (1, 2, 3)},
    }


def test_a_deleted_resource_is_settled_by_a_scan_of_it_alone(estate: Tenant) -> None:
    scan(estate)
    Resource.objects.filter(name__in=["bucket-0", "bucket-2"]).update(status="deleted")
    run = scan(estate, resource_id=resource(0).pk)
    assert run.fixed == 2
    assert statuses()["bucket-has-owner", "bucket-2"] == "open"


def test_a_narrow_scan_is_no_watermark_for_the_next_incremental_one(estate: Tenant) -> None:
    whole = scan(estate)
    ScanRun.objects.filter(pk=whole.pk).update(watermark="3")
    run = scan(estate, resource_id=resource(0).pk)
    # As if the world had been standing still since a later transaction than any row's.
    ScanRun.objects.filter(pk=run.pk).update(watermark="18446744073709551614")
    import_rows([bucket(4)])
    assert scan(estate, mode="incremental").opened == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"policy_id": "none"}, "policy_id"),
        ({"resource_id": "none"}, "resource_id"),
        ({"mode": "incremental", "policy_id": "none"}, "mode"),
    ],
)
def test_what_is_not_there_is_not_scanned(estate: Tenant, asked: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        start_policy_scan(send=False, **asked)
    assert refused.value.field == field


def test_another_tenants_policy_is_not_there(estate: Tenant, other_tenant: Tenant) -> None:
    theirs = policy("bucket-has-owner").pk
    with tenant_transaction(other_tenant.id), pytest.raises(InvalidInput):
        start_policy_scan(policy_id=theirs, send=False)


def test_a_policy_that_is_not_active_is_not_scanned(estate: Tenant) -> None:
    Policy.objects.update(status="disabled")
    with pytest.raises(InvalidInput, match="active"):
        start_policy_scan(policy_id=policy("bucket-has-owner").pk, send=False)


def test_a_policy_whose_type_changes_gives_up_the_old_types_violations(estate: Tenant) -> None:
    scan(estate)
    import_policy(UNOWNED_BUCKETS.replace("aws.s3", "aws.rds"))
    run = scan(estate, mode="incremental")
    assert (run.fixed, run.opened) == (2, 0)
    assert statuses()["bucket-has-owner", "bucket-0"] == "fixed"
    assert statuses()["bucket-has-team", "bucket-0"] == "open"


def test_a_policy_that_changes_during_a_scan_is_left_to_the_next(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(estate)
    real = scanning.compile_policies

    def compile_then_change(*args: Any) -> Any:
        ready, broken = real(*args)
        changed = policy("bucket-has-owner").pk
        # As if another transaction had written the row after it was read.
        return [replace(p, stamp="1") if p.policy_id == changed else p for p in ready], broken

    # The old definition finds nothing any more, but it is no longer the policy's.
    import_rows([bucket(n) | {"tags": {"owner": "ada"}} for n in range(4)])
    monkeypatch.setattr(scanning, "compile_policies", compile_then_change)
    run = scan(estate)
    assert (run.fixed, run.still_open) == (0, 4)
    assert statuses()["bucket-has-owner", "bucket-0"] == "open"


def test_a_policy_that_comes_during_a_scan_keeps_what_another_scan_found(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scanning.compile_policies

    def without_the_newcomer(*args: Any) -> Any:
        ready, broken = real(*args)
        newcomer = policy("bucket-has-team").pk
        return [p for p in ready if p.policy_id != newcomer], broken

    scan(estate)
    monkeypatch.setattr(scanning, "compile_policies", without_the_newcomer)
    assert scan(estate).fixed == 0


def test_what_could_not_be_evaluated_is_taken_up_by_the_next_incremental_scan(estate: Tenant) -> None:
    run = scan(estate)
    ScanRun.objects.filter(pk=run.pk).update(watermark="18446744073709551000")
    Violation.objects.filter(policy__name="bucket-has-owner").update(status="fixed")
    assert scan(estate, mode="incremental").reopened == 0

    last = ScanRun.objects.order_by("-started_at", "-id").first()
    ScanRun.objects.update(watermark="18446744073709551000")
    EvaluationError.objects.create(
        scan=last, policy_id=policy("bucket-has-owner").pk, resources=0, message="x"
    )
    assert scan(estate, mode="incremental").reopened == 2


@pytest.fixture
def committing(transactional_db: None) -> Iterator[Tenant]:
    """In a tenant's context without a surrounding transaction: each step commits, and has an id of its own."""
    tenant = make_tenant("Acme")
    with tenant_scope(tenant.id, Actor.system("test")):
        yield tenant


AUDITING = {
    "name": "server-is-audited",
    "properties": {
        "mode": "All",
        "policyRule": {
            "if": {"field": "type", "equals": "Microsoft.Sql/servers"},
            "then": {
                "effect": "auditIfNotExists",
                "details": {
                    "type": "Microsoft.Sql/servers/auditingSettings",
                    "existenceCondition": {
                        "field": "Microsoft.Sql/auditingSettings.state",
                        "equals": "Enabled",
                    },
                },
            },
        },
    },
}


def sql_row(path: str, type_: str, **properties: Any) -> dict[str, Any]:
    base = "/subscriptions/s1/resourceGroups/rg/providers/"
    return {
        "id": base + path,
        "provider": "azure",
        "type": type_,
        "name": path.rpartition("/")[2],
        "account": "s1",
        "group_name": "rg",
        "properties": properties,
    }


def test_an_incremental_scan_looks_again_where_a_related_resource_changed(committing: Tenant) -> None:
    server = sql_row("Microsoft.Sql/servers/one", "Microsoft.Sql/servers")
    setting = ("Microsoft.Sql/servers/one/auditingSettings/default", "Microsoft.Sql/servers/auditingSettings")
    import_rows([server, sql_row(*setting, state="Disabled")])
    run = import_policy(json.dumps(AUDITING))
    assert run.summary["compiled"] == 1, run.summary
    assert scan(committing).opened == 1

    import_rows([sql_row(*setting, state="Enabled")])
    run = scan(committing, mode="incremental")
    assert (run.mode, run.fixed) == ("incremental", 1)


def test_an_incremental_scan_looks_at_what_changed_alone(committing: Tenant) -> None:
    import_rows([bucket(n) for n in range(4)])
    import_policy(UNOWNED_BUCKETS)
    scan(committing)
    with tenant_transaction(committing.id), connection.cursor() as cursor:
        Violation.objects.update(status="fixed")
        # Transactions of other databases of the server hold the real watermark back, which only costs time.
        cursor.execute("UPDATE scan_runs SET watermark = pg_current_xact_id()::text")
    import_rows([bucket(0, Versioning="Enabled")])
    run = scan(committing, mode="incremental")
    assert (run.reopened, run.opened) == (1, 0)
