"""Import, scan, fix, come back: one row a finding, right counts at every step."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.catalog.models import Policy, Resource
from apps.core.context import tenant_transaction
from apps.findings.models import ScanRun, Violation, ViolationEvent
from apps.findings.queries import counter_drift, latest_open_violations, violation_counts
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant
from tests.fixtures.estate import UNOWNED_BUCKETS, bucket, import_policy, import_rows

pytestmark = pytest.mark.django_db


def scan(tenant: Tenant, mode: str = "full") -> ScanRun:
    with tenant_transaction(tenant.id):
        job = start_policy_scan(mode=mode, send=False)
    run_job(tenant.id, job.pk)
    job.refresh_from_db()
    assert job.status == "succeeded", job.error
    return ScanRun.objects.get(job_id=job.pk)


@pytest.fixture
def scanned(in_tenant: Tenant) -> Tenant:
    import_rows([bucket(n) for n in range(6)])
    import_policy(UNOWNED_BUCKETS)
    scan(in_tenant)
    return in_tenant


def counts() -> dict[tuple[str, str], int]:
    assert counter_drift() == []
    return {(c.severity, c.status): c.n for c in violation_counts()}


def kinds() -> list[str]:
    return list(ViolationEvent.objects.order_by("id").values_list("kind", flat=True))


def test_a_scan_opens_a_violation_with_a_reason_for_each_hit(scanned: Tenant) -> None:
    found = Violation.objects.select_related("resource")
    assert {v.resource.name for v in found} == {"bucket-0", "bucket-2", "bucket-4"}
    assert {v.status for v in found} == {"open"}
    assert all("owner" in v.reason for v in found)
    assert counts() == {("high", "open"): 3}
    assert kinds() == ["opened"] * 3


def test_a_violation_that_is_gone_is_fixed_and_one_that_is_back_is_open_again_in_the_same_row(
    scanned: Tenant,
) -> None:
    before = Violation.objects.get(resource__name="bucket-0")
    import_rows([bucket(0) | {"tags": {"owner": "grace"}}])
    run = scan(scanned)
    assert (run.opened, run.reopened, run.fixed, run.still_open) == (0, 0, 1, 2)
    assert counts() == {("high", "open"): 2, ("high", "fixed"): 1}

    import_rows([bucket(0)])
    run = scan(scanned)
    after = Violation.objects.get(resource__name="bucket-0")
    assert (run.opened, run.reopened, run.fixed) == (0, 1, 0)
    assert (after.pk, after.first_seen, after.status) == (before.pk, before.first_seen, "open")
    assert after.fixed_at is None
    assert counts() == {("high", "open"): 3}
    assert kinds()[3:] == ["fixed", "reopened"]


def test_a_second_scan_of_the_same_estate_opens_and_fixes_nothing(scanned: Tenant) -> None:
    run = scan(scanned)
    assert (run.opened, run.reopened, run.fixed, run.still_open) == (0, 0, 0, 3)
    assert kinds() == ["opened"] * 3


def test_an_incremental_scan_writes_no_row_that_did_not_change(scanned: Tenant) -> None:
    def versions() -> dict[str, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id::text, ctid::text FROM violations")
            return dict(cursor.fetchall())

    before = versions()
    import_rows([bucket(6)])
    run = scan(scanned, "incremental")
    assert (run.mode, run.opened, run.fixed) == ("incremental", 1, 0)
    after = versions()
    assert {pk: after[pk] for pk in before} == before
    assert len(after) == 4


def test_an_incremental_scan_sees_a_policy_that_changed(scanned: Tenant) -> None:
    import_policy(UNOWNED_BUCKETS.replace("tag:owner", "tag:team"))
    run = scan(scanned, "incremental")
    assert (run.opened, run.still_open) == (3, 3)
    assert counts() == {("high", "open"): 6}


def test_disabling_a_policy_closes_its_violations(scanned: Tenant) -> None:
    Policy.objects.update(status="disabled")
    run = scan(scanned)
    assert run.fixed == 3
    assert counts() == {("high", "fixed"): 3}


def test_a_deleted_resource_has_no_open_violation(scanned: Tenant) -> None:
    Resource.objects.filter(name="bucket-2").update(status="deleted")
    scan(scanned)
    assert Violation.objects.get(resource__name="bucket-2").status == "fixed"


def test_one_policy_that_postgresql_refuses_does_not_fail_its_neighbours(scanned: Tenant) -> None:
    # Evaluated by PostgreSQL to the end this expression would run for ages; its statement is ended instead.
    from apps.findings.services import scanning

    import_policy(
        """
policies:
  - name: runaway
    resource: aws.s3
    filters:
      - type: value
        key: Name
        op: regex
        value: "(a*)*b"
"""
    )
    real = scanning.hits_query

    def broken(policies, **kwargs):  # type: ignore[no-untyped-def]
        query = real(policies, **kwargs)
        if any("regex" in str(rule.tree) for _, rule in policies):
            return type(query)(query.text + " where 1/(select 0) = 1", query.params)
        return query

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "hits_query", broken)
        run = scan(scanned)
    assert run.status == "succeeded"
    assert run.still_open == 3
    assert [e.message for e in run.evaluation_errors.all()] == ["division by zero"]


def test_the_sample_query_and_its_queryset_give_the_same_rows(scanned: Tenant) -> None:
    Violation.objects.filter(resource__name="bucket-2").update(status="fixed")
    import_policy(UNOWNED_BUCKETS.replace("tag:owner", "tag:team").replace("bucket-has-owner", "has-team"))
    scan(scanned)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select v.id from violations v
            join (
              select resource_id, max(last_seen) as last_seen
              from violations where status='open' and tenant_id=%s
              group by resource_id
            ) x on x.resource_id = v.resource_id and x.last_seen = v.last_seen
            where v.tenant_id = %s
            order by v.severity desc
            """,
            [scanned.id, scanned.id],
        )
        expected = {row[0] for row in cursor.fetchall()}
    assert expected
    assert {v.pk for v in latest_open_violations()} == expected


def test_a_statement_too_long_for_the_wire_is_cut_into_shorter_ones(
    scanned: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's protocol counts parameters in two bytes; psycopg refuses more, without the server's word."""
    from apps.findings.services import scanning

    for number in range(5):
        import_policy(UNOWNED_BUCKETS.replace("bucket-has-owner", f"owner-{number}"))
    real = scanning.hits_query

    def padded(policies, **kwargs):  # type: ignore[no-untyped-def]
        query = real(policies, **kwargs)
        extra = 30_000 * len(policies)
        return type(query)(
            query.text + " where 0 not in (" + "%s," * extra + "1)", query.params + (1,) * extra
        )

    monkeypatch.setattr(scanning, "hits_query", padded)
    run = scan(scanned)
    assert (run.status, run.still_open + run.opened, run.errors) == ("succeeded", 18, 0)
