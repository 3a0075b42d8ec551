"""Exceptions: four eyes whatever the way in, suppression with its term, and counts that stay right."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.audit.models import Audit
from apps.catalog.models import Policy, Resource
from apps.core.context import tenant_transaction
from apps.core.errors import IllegalTransition, InvalidInput, StaleState
from apps.findings.models import PolicyException, Violation
from apps.findings.queries import counter_drift, violation_counts, violations
from apps.findings.services.exceptions import (
    FourEyes,
    approve_exception,
    exception_impact,
    reject_exception,
    request_exception,
    revoke_exception,
    sweep_exceptions,
)
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.estate import UNOWNED_BUCKETS, acting_as, bucket, import_policy, import_rows

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


def scan(tenant: Tenant) -> None:
    with tenant_transaction(tenant.id):
        job = start_policy_scan(send=False)
    run_job(tenant.id, job.pk)


@pytest.fixture
def estate(in_tenant: Tenant, users: Users) -> Tenant:
    import_rows([bucket(n) for n in range(4)])
    import_policy(UNOWNED_BUCKETS)
    scan(in_tenant)
    return in_tenant


def ask(user: User, *, expires_at: datetime | None = None, resource: str | None = None) -> PolicyException:
    with acting_as(user):
        return request_exception(
            policy=Policy.objects.get(),
            resource=Resource.objects.get(name=resource) if resource else None,
            reason="Public web site",
            expires_at=expires_at or timezone.now() + timedelta(days=10),
        )


def shown() -> dict[str, int]:
    assert counter_drift() == []
    counts: dict[str, int] = {}
    for count in violation_counts():
        counts[count.status] = counts.get(count.status, 0) + count.n
    by_query: dict[str, int] = {}
    for status in violations().values_list("shown_status", flat=True):
        by_query[status] = by_query.get(status, 0) + 1
    assert counts == by_query
    return counts


def test_an_approved_exception_suppresses_what_it_covers_and_the_counts_follow(
    estate: Tenant, users: Users
) -> None:
    exception = ask(users[Role.OPERATOR])
    assert shown() == {"open": 2}
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=exception)
    assert shown() == {"suppressed": 2}
    assert exception.decided_by_id == users[Role.APPROVER].pk
    assert exception.decided_at is not None
    assert Audit.objects.filter(
        action="findings.exception.approved", actor=f"user:{users[Role.APPROVER].pk}"
    ).exists()


def test_an_exception_for_one_resource_leaves_its_neighbours_open(estate: Tenant, users: Users) -> None:
    exception = ask(users[Role.OPERATOR], resource="bucket-0")
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=exception)
    assert shown() == {"open": 1, "suppressed": 1}


def test_the_impact_is_what_approval_hides(estate: Tenant, users: Users) -> None:
    impact = exception_impact(policy=Policy.objects.get(), resource=None)
    assert (impact.violations, impact.by_severity) == (2, {"high": 2})
    assert (
        impact.oldest == Violation.objects.order_by("first_seen").values_list("first_seen", flat=True).first()
    )


def test_the_requester_can_not_decide_on_his_own(estate: Tenant, users: Users) -> None:
    exception = ask(users[Role.APPROVER])
    with acting_as(users[Role.APPROVER]):
        with pytest.raises(FourEyes):
            approve_exception(exception=exception)
        with pytest.raises(FourEyes):
            reject_exception(exception=exception, reason="no")
    exception.refresh_from_db()
    assert exception.status == "pending"
    assert shown() == {"open": 2}


def test_raw_sql_of_the_app_role_can_not_approve_its_own_nor_name_somebody_else(
    estate: Tenant, users: Users
) -> None:
    exception = ask(users[Role.APPROVER])
    other = users[Role.ADMIN].pk
    with acting_as(users[Role.APPROVER]), connection.cursor() as cursor:
        for statement in (
            "UPDATE exceptions SET status = 'approved' WHERE id = %s",
            f"UPDATE exceptions SET status = 'approved', decided_by = '{other}' WHERE id = %s",
            f"UPDATE exceptions SET created_by = '{other}', status = 'approved' WHERE id = %s",
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                cursor.execute(statement, [exception.pk])
    exception.refresh_from_db()
    assert exception.status == "pending"


def test_raw_sql_asks_in_nobody_elses_name(estate: Tenant, users: Users) -> None:
    """Else an approver asked as somebody else and approved it himself."""
    insert = (
        "INSERT INTO exceptions (id, tenant_id, policy_id, reason, status, expires_at, created_by)"
        " SELECT new_uuid7(), %s, id, 'x', 'pending', now() + interval '1 day', %s FROM policies LIMIT 1"
    )
    with acting_as(users[Role.APPROVER]) as approver, connection.cursor() as cursor:
        with pytest.raises(IntegrityError, match="in the name of another"), transaction.atomic():
            cursor.execute(insert, [estate.id, users[Role.OPERATOR].pk])
        cursor.execute(insert, [estate.id, approver.pk])
        assert cursor.rowcount == 1


def test_raw_sql_without_a_person_can_not_approve_at_all(estate: Tenant, users: Users) -> None:
    exception = ask(users[Role.OPERATOR])
    with (
        connection.cursor() as cursor,
        pytest.raises(IntegrityError, match="needs the person"),
        transaction.atomic(),
    ):
        cursor.execute("UPDATE exceptions SET status = 'approved' WHERE id = %s", [exception.pk])


def test_a_decision_is_final(estate: Tenant, users: Users) -> None:
    exception = ask(users[Role.OPERATOR])
    stale = PolicyException.objects.get(pk=exception.pk)
    with acting_as(users[Role.APPROVER]):
        reject_exception(exception=exception, reason="not needed")
        with pytest.raises(StaleState):
            approve_exception(exception=stale)
        with pytest.raises(IllegalTransition):
            approve_exception(exception=exception)
    assert shown() == {"open": 2}


def test_when_the_term_is_over_the_violations_are_open_again_before_any_job_ran(
    estate: Tenant, users: Users
) -> None:
    exception = ask(users[Role.OPERATOR], expires_at=timezone.now() + timedelta(days=1))
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=exception)
    assert shown() == {"suppressed": 2}
    Violation.objects.update(suppressed_until=timezone.now() - timedelta(days=1))
    assert shown() == {"open": 2}
    sweep_exceptions()
    assert shown() == {"open": 2}
    assert set(Violation.objects.values_list("status", "suppressed_until", "exception_id")) == {
        ("open", None, None)
    }


def test_revoking_opens_what_was_suppressed(estate: Tenant, users: Users) -> None:
    exception = ask(users[Role.OPERATOR])
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=exception)
        revoke_exception(exception=exception, reason="site was shut down")
    assert shown() == {"open": 2}
    assert exception.status == "expired"


def test_a_new_violation_under_an_exception_in_force_is_opened_as_suppressed(
    estate: Tenant, users: Users
) -> None:
    exception = ask(users[Role.OPERATOR], expires_at=timezone.now() + timedelta(days=1))
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=exception)
    import_rows([bucket(10)])
    scan(estate)
    new = Violation.objects.get(resource__name="bucket-10")
    assert (new.status, new.exception_id, new.suppressed_until) == (
        "suppressed",
        exception.pk,
        exception.expires_at,
    )
    assert shown() == {"suppressed": 3}


def test_a_suppressed_violation_that_is_gone_is_fixed(estate: Tenant, users: Users) -> None:
    exception = ask(users[Role.OPERATOR])
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=exception)
    import_rows([bucket(0) | {"tags": {"owner": "x"}}])
    scan(estate)
    assert shown() == {"suppressed": 1, "fixed": 1}


@pytest.mark.parametrize("reason", ["", "   ", "x" * 4001])
def test_a_request_says_why(estate: Tenant, users: Users, reason: str) -> None:
    with acting_as(users[Role.OPERATOR]), pytest.raises(InvalidInput) as refused:
        request_exception(
            policy=Policy.objects.get(),
            resource=None,
            reason=reason,
            expires_at=timezone.now() + timedelta(1),
        )
    assert refused.value.field == "reason"


def test_a_term_in_the_past_is_refused(estate: Tenant, users: Users) -> None:
    with acting_as(users[Role.OPERATOR]), pytest.raises(InvalidInput) as refused:
        request_exception(
            policy=Policy.objects.get(), resource=None, reason="r", expires_at=timezone.now() - timedelta(1)
        )
    assert refused.value.field == "expires_at"


def test_an_exception_speaks_of_something(estate: Tenant, users: Users) -> None:
    with acting_as(users[Role.OPERATOR]), pytest.raises(InvalidInput):
        request_exception(policy=None, resource=None, reason="r", expires_at=timezone.now() + timedelta(1))
