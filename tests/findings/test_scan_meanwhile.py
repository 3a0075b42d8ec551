"""What happens while a scan's statements run, and what an incremental scan does not look at at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.catalog.models import Policy
from apps.findings.models import Violation
from apps.findings.queries import counter_drift
from apps.findings.services import exceptions, scanning
from apps.findings.services.exceptions import approve_exception, request_exception, revoke_exception
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.findings.test_the_loop import scan
from tests.fixtures.estate import UNOWNED_BUCKETS, acting_as, bucket, import_policy, import_rows

pytestmark = pytest.mark.django_db
TERM = timezone.now() + timedelta(days=20)

INSTANCE_POLICY = """
policies:
  - name: instance-has-owner
    resource: aws.ec2
    filters:
      - "tag:owner": absent
"""


def instance(number: int, **tags: str) -> dict[str, Any]:
    return bucket(number) | {"id": f"i-{number}", "type": "aws.ec2", "tags": tags}


@pytest.fixture
def estate(in_tenant: Tenant) -> Tenant:
    import_rows([bucket(0), bucket(1)])
    import_policy(UNOWNED_BUCKETS)
    return in_tenant


def _between(monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:
    """`happens` after the scan's statements and before its end, as from a transaction that saw none of their rows."""
    closing = scanning._Scan._close_orphans

    def with_a_decision(self: Any, *arguments: Any) -> None:
        with pytest.MonkeyPatch.context() as blind:
            blind.setattr(exceptions, "_apply", lambda exception: 0)
            blind.setattr(exceptions, "recover", lambda *which, **more: exceptions.Recovered(0, 0))
            happens()
        closing(self, *arguments)

    monkeypatch.setattr(scanning._Scan, "_close_orphans", with_a_decision)


def test_what_was_approved_while_the_scan_ran_suppresses_what_it_opened(
    estate: Tenant, users: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    with acting_as(users[Role.OPERATOR]):
        asked = request_exception(policy=Policy.objects.get(), resource=None, reason="why", expires_at=TERM)

    def approve() -> None:
        assert Violation.objects.get().status == "open"
        with acting_as(users[Role.APPROVER]):
            approve_exception(exception=asked)
        assert Violation.objects.get().status == "open"

    _between(monkeypatch, approve)
    scan(estate)
    found = Violation.objects.get()
    assert (found.status, found.exception_id) == ("suppressed", asked.pk)
    assert counter_drift() == []


def test_what_was_revoked_while_the_scan_ran_suppresses_nothing(
    estate: Tenant, users: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    with acting_as(users[Role.OPERATOR]):
        asked = request_exception(policy=Policy.objects.get(), resource=None, reason="why", expires_at=TERM)
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=asked)

    def revoke() -> None:
        assert Violation.objects.get().status == "suppressed"
        with acting_as(users[Role.APPROVER]):
            revoke_exception(exception=asked, reason="no longer")
        assert Violation.objects.get().status == "suppressed"

    _between(monkeypatch, revoke)
    scan(estate)
    found = Violation.objects.get()
    assert (found.status, found.exception_id) == ("open", None)
    assert counter_drift() == []


def _types_judged(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    judged: list[str | None] = []
    whole = scanning._Scan._judge
    monkeypatch.setattr(
        scanning._Scan, "_judge", lambda self, group: (judged.append(group.type), whole(self, group))[1]
    )
    scan(tenant, "incremental")
    return judged


def test_an_incremental_scan_looks_at_no_type_without_a_change(
    estate: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows([instance(7)])
    import_policy(INSTANCE_POLICY)
    scan(estate)
    with (
        connection.cursor() as cursor
    ):  # all of it is one transaction here: only what is older counts as seen
        cursor.execute("UPDATE scan_runs SET watermark = (pg_current_xact_id()::text::bigint + 1)::text")
        cursor.execute("UPDATE resources SET changed_xid = '1', name = name WHERE type = 'aws.s3'")
    assert _types_judged(estate, monkeypatch) == []


def test_an_unchanged_incremental_scan_writes_no_violation(estate: Tenant) -> None:
    scan(estate)
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text, ctid::text FROM violations")
        before = cursor.fetchall()
    with CaptureQueriesContext(connection):
        run = scan(estate, "incremental")
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text, ctid::text FROM violations")
        assert cursor.fetchall() == before
    assert (run.opened, run.reopened, run.fixed) == (0, 0, 0)
