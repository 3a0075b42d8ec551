"""What an incremental scan looks at: the resources that changed, by name, and what of them no policy looks at any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from apps.catalog.models import Policy, Resource
from apps.core.context import Actor, current_tenant_id, tenant_scope, tenant_transaction
from apps.findings.models import PolicyEvaluation, ScanRun, Violation
from apps.findings.services import scan_plan, scanning
from apps.tenancy.models import Tenant
from tests.findings.test_scan_targets import TEAMLESS, scan, statuses
from tests.fixtures.estate import UNOWNED_BUCKETS, bucket, import_policy, import_rows, make_tenant

pytestmark = pytest.mark.django_db

ANYTHING_UNOWNED = """
policies:
  - name: anything-has-owner
    resource: aws.s3
    filters:
      - "tag:owner": absent
  - name: instance-has-owner
    resource: aws.ec2
    filters:
      - "tag:owner": absent
"""


def instance(number: int, **properties: Any) -> dict[str, Any]:
    return bucket(number, **properties) | {
        "id": f"i-{number}",
        "type": "aws.ec2",
        "name": f"vm-{number}",
        "tags": {},
    }


@pytest.fixture
def estate(transactional_db: None) -> Iterator[Tenant]:
    """Four buckets without a team, two of them without an owner, and three machines; each step commits."""
    tenant = make_tenant("Acme")
    with tenant_scope(tenant.id, Actor.system("test")):
        import_rows([*(bucket(n) for n in range(4)), *(instance(n) for n in range(3))])
        import_policy(UNOWNED_BUCKETS)
        import_policy(TEAMLESS)
        import_policy(ANYTHING_UNOWNED)
        scan(tenant)
        yield tenant


def forget_what_changed(until: int | None = None) -> None:
    """The watermark is moved up to `until`, or now: transactions of the server's other databases hold it back."""
    until = until or transaction_now()
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        cursor.execute("UPDATE scan_runs SET watermark = %s", [str(until)])


def transaction_now() -> int:
    """The id of a transaction of its own: what begins later has a higher one."""
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        (number,) = cursor.fetchone()
    return int(number)


def watermark() -> int:
    """The last scan's."""
    with tenant_transaction(current_tenant_id()):
        return int(ScanRun.objects.latest("started_at").watermark)


def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, tuple[str, ...] | None]]:
    """(type, names of the resources that are named) of each group that a scan judges."""
    seen: list[tuple[str | None, tuple[str, ...] | None]] = []
    whole = scanning._Scan._judge

    def note(self: Any, group: Any) -> Any:
        with tenant_transaction(self.tenant_id):
            names = (
                Resource.objects.filter(pk__in=group.ids or ())
                .order_by("name")
                .values_list("name", flat=True)
            )
            seen.append((group.type, None if group.ids is None else tuple(names)))
        return whole(self, group)

    monkeypatch.setattr(scanning._Scan, "_judge", note)
    return seen


def update(statement: str, *values: Any) -> None:
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        cursor.execute(statement, values)


def places() -> dict[str, tuple[str, str]]:
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        cursor.execute("SELECT id::text, xmin::text, ctid::text FROM violations")
        return {row[0]: row[1:] for row in cursor.fetchall()}


def test_what_changed_in_either_table_is_named_by_type(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_what_changed()
    import_rows([bucket(0, Versioning="Enabled"), instance(1) | {"tags": {"owner": "x"}}])
    update("UPDATE resources SET account = 'moved' WHERE name = 'bucket-2'")
    seen = judged(monkeypatch)
    run = scan(estate, mode="incremental")
    assert run.mode == "incremental"
    assert seen == [("aws.ec2", ("vm-1",)), ("aws.s3", ("bucket-0", "bucket-2"))]
    assert (run.opened, run.reopened, run.fixed) == (0, 0, 1)
    with tenant_transaction(estate.id):
        assert statuses()["instance-has-owner", "vm-1"] == "fixed"


def test_a_resource_that_changes_during_the_scan_is_the_next_ones(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_what_changed()
    import_rows([bucket(0, Versioning="Enabled")])
    planned = scanning.compile_policies

    before: list[int] = []

    def meanwhile(*arguments: Any) -> Any:
        with pytest.MonkeyPatch.context() as once:
            once.setattr(scanning, "compile_policies", planned)
            before.append(transaction_now())
            _from_another_session(
                estate, "UPDATE resources SET tags = '{\"owner\": \"x\"}' WHERE name = 'vm-0'"
            )
        return planned(*arguments)

    monkeypatch.setattr(scanning, "compile_policies", meanwhile)
    seen = judged(monkeypatch)
    assert scan(estate, mode="incremental").fixed == 0
    assert seen == [("aws.s3", ("bucket-0",))]

    # Held back no less than to before the change; further than that it is by transactions of the server's other
    # databases, and so much would have "changed" that the types were judged whole.
    monkeypatch.setattr(scanning, "compile_policies", planned)
    assert watermark() <= before[0]
    forget_what_changed(until=before[0])
    seen.clear()
    run = scan(estate, mode="incremental")
    assert seen == [("aws.ec2", ("vm-0",))]
    assert run.fixed == 1


def _from_another_session(tenant: Tenant, statement: str) -> None:
    failed: list[BaseException] = []

    def other() -> None:
        try:
            with tenant_transaction(tenant.id), connection.cursor() as cursor:
                cursor.execute(statement)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert failed == []


def test_a_change_that_commits_after_the_scan_began_is_not_lost(estate: Tenant) -> None:
    """Its transaction began before the scan and is older than the scan's own: the watermark waits for it."""
    forget_what_changed()
    written, may_commit = threading.Event(), threading.Event()

    def slowly() -> None:
        try:
            with tenant_transaction(estate.id), connection.cursor() as cursor:
                cursor.execute("UPDATE resources SET tags = '{\"owner\": \"x\"}' WHERE name = 'vm-2'")
                written.set()
                may_commit.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slowly)
    thread.start()
    assert written.wait(30)
    assert scan(estate, mode="incremental").fixed == 0
    may_commit.set()
    thread.join()
    assert scan(estate, mode="incremental").fixed == 1


@pytest.mark.parametrize(("at_once", "most"), [(1, 100), (2, 100), (100, 2)])
def test_many_changes_are_judged_in_parts_and_too_many_by_whole_types(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch, at_once: int, most: int
) -> None:
    monkeypatch.setattr(scan_plan, "NAMED_AT_ONCE", at_once)
    monkeypatch.setattr(scan_plan, "MOST_NAMED", most)
    forget_what_changed()
    import_rows([bucket(n, Versioning="Enabled") | {"tags": {"owner": "x", "team": "y"}} for n in range(3)])
    unchanged = places()
    seen = judged(monkeypatch)
    run = scan(estate, mode="incremental")
    sizes = [None if names is None else len(names) for _, names in seen]
    assert {type_ for type_, _ in seen} == {"aws.s3"}
    assert sizes == ([None] if most < 3 else [1, 1, 1] if at_once == 1 else [2, 1])
    assert (run.opened, run.reopened, run.fixed) == (0, 0, 7)
    with tenant_transaction(estate.id):
        open_ = Violation.objects.filter(status="open").values_list("pk", flat=True)
        # A row that did not change is not written, however much of the estate is looked at.
        left = {str(key): unchanged[str(key)] for key in open_}
    assert len(left) == 4
    assert left.items() <= places().items()
    assert scan(estate, mode="incremental").fixed == 0


@pytest.mark.parametrize("status", ["deleted", "reported"])
def test_what_is_gone_has_no_open_violation(estate: Tenant, status: str) -> None:
    forget_what_changed()
    update("UPDATE resources SET status = %s WHERE name IN ('bucket-0', 'vm-0')", status)
    run = scan(estate, mode="incremental")
    with tenant_transaction(estate.id):
        gone = {status for (_, name), status in statuses().items() if name in ("bucket-0", "vm-0")}
        left = {name for (_, name), status in statuses().items() if status == "open"}
    assert gone == {"fixed"}
    assert left == {"bucket-1", "bucket-2", "bucket-3", "vm-1", "vm-2"}
    assert run.fixed == 4


def test_a_gone_resource_of_a_policy_that_did_not_compile_is_closed_and_its_others_are_kept(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_what_changed()
    update("UPDATE resources SET status = 'deleted' WHERE name = 'bucket-0'")
    real = scanning.compile_policies

    def without_one(*arguments: Any) -> Any:
        ready, broken = real(*arguments)
        return [policy for policy in ready if policy.policy_id != teamless], broken

    with tenant_transaction(estate.id):
        teamless = Policy.objects.get(name="bucket-has-team").pk
    monkeypatch.setattr(scanning, "compile_policies", without_one)
    scan(estate, mode="incremental")
    with tenant_transaction(estate.id):
        of_it = {name: status for (policy, name), status in statuses().items() if policy == "bucket-has-team"}
    assert of_it == {"bucket-0": "fixed", "bucket-1": "open", "bucket-2": "open", "bucket-3": "open"}


def _disable() -> None:
    update("UPDATE policies SET status = 'disabled' WHERE name = 'bucket-has-team'")


def _look_at_another_type() -> None:
    import_policy(TEAMLESS.replace("aws.s3", "aws.rds"))


@pytest.mark.parametrize("change", [_disable, _look_at_another_type])
def test_a_policy_that_looks_at_it_no_more_gives_up_violations_on_what_did_not_change(
    estate: Tenant, change: Callable[[], None]
) -> None:
    forget_what_changed()
    change()
    run = scan(estate, mode="incremental")
    assert run.fixed == 4
    with tenant_transaction(estate.id):
        assert {
            name for (policy, name), status in statuses().items() if status == "open" and "team" in policy
        } == set()
        assert statuses()["bucket-has-owner", "bucket-0"] == "open"


def test_its_population_is_the_whole_estate_as_it_is_at_its_end(estate: Tenant) -> None:
    forget_what_changed()
    import_rows([instance(7), bucket(8)])
    update("UPDATE resources SET status = 'deleted' WHERE name = 'bucket-1'")
    update("UPDATE resources SET status = 'reported' WHERE name = 'vm-2'")
    run = scan(estate, mode="incremental")
    assert run.population == {"aws": {"aws.ec2": 4, "aws.s3": 4}}
    assert run.resources == 7  # without the one that only a report has named
    with tenant_transaction(estate.id):
        evaluated = list(PolicyEvaluation.objects.filter(scan=run).values_list("evaluated", flat=True))
        assert evaluated == [4, 4, 4, 4]
        whole = ScanRun.objects.get(pk=scan(estate).pk)
    assert (whole.population, whole.resources) == (run.population, run.resources)


def test_an_incremental_scan_of_nothing_writes_no_violation_and_asks_for_no_group(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_what_changed()
    before = places()
    seen = judged(monkeypatch)
    run = scan(estate, mode="incremental")
    assert (run.mode, seen, places()) == ("incremental", [], before)


def test_two_incremental_scans_at_once_find_what_one_finds(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins when the first has found out what changed and has judged nothing yet."""
    forget_what_changed()
    import_rows([bucket(n) | {"tags": {"owner": "x", "team": "y"}} for n in range(3)])
    real = scanning.compile_policies
    inner: list[ScanRun] = []

    def another_first(*arguments: Any) -> Any:
        if not inner:
            inner.append(ScanRun())
            inner[0] = _scan_elsewhere(estate)
        return real(*arguments)

    monkeypatch.setattr(scanning, "compile_policies", another_first)
    outer = scan(estate, mode="incremental")
    assert (inner[0].fixed, outer.fixed, outer.opened) == (7, 0, 0)
    with tenant_transaction(estate.id):
        left = {name for (policy, name), status in statuses().items() if status == "open"}
    assert left == {"bucket-3", "vm-0", "vm-1", "vm-2"}


def _scan_elsewhere(tenant: Tenant) -> ScanRun:
    runs: list[ScanRun] = []

    def other() -> None:
        try:
            with tenant_scope(tenant.id, Actor.system("test")):
                runs.append(scan(tenant, mode="incremental"))
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    (run,) = runs
    return run
