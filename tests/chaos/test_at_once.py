"""Two at once: scans of one tenant by two workers, decisions on one exception by two people."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.catalog.models import Policy
from apps.core.errors import StaleState
from apps.findings.models import PolicyException, Violation, ViolationEvent
from apps.findings.queries import counter_drift
from apps.findings.services.exceptions import approve_exception, reject_exception, request_exception
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.commands import run_here
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.services import create_user
from tests.chaos.conftest import Estate
from tests.fixtures.estate import UNOWNED_BUCKETS, acting_as, bucket, import_policy, import_rows


@pytest.mark.slow
def test_two_workers_scan_one_tenant(acme: Estate) -> None:
    stack = acme.stack
    jobs = [acme.scan(), acme.scan()]
    stack.start("worker", "second-worker", "beat")
    stack.wait_for(lambda: all(acme.job(job)["status"] not in ("queued", "running") for job in jobs))
    assert [acme.job(job)["status"] for job in jobs] == ["succeeded"] * 2
    overlapping = stack.query(
        "SELECT count(*) FROM jobs a JOIN jobs b ON a.id = %s AND b.id = %s"
        " AND tstzrange(a.started_at, a.finished_at) && tstzrange(b.started_at, b.finished_at)",
        jobs,
    )
    assert overlapping == [(1,)], "they did not run at the same time"
    assert acme.findings() == acme.truth
    assert acme.events() == {"opened": len(acme.truth)}
    assert acme.drift() == []
    assert "deadlock" not in stack.said()


def _decide_at_once(
    users: list[User], exception_id: object, reject_second: bool
) -> list[BaseException | None]:
    """Each in a thread and on a connection of its own, having read the exception before either decides."""
    both_have_read = threading.Barrier(2, timeout=20)
    results: list[BaseException | None] = [None, None]

    def decide(number: int) -> None:
        try:
            with acting_as(users[number]):
                exception = PolicyException.objects.get(pk=exception_id)
                both_have_read.wait()
                if number == 1 and reject_second:
                    reject_exception(exception=exception, reason="no")
                else:
                    approve_exception(exception=exception)
        except BaseException as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=[number]) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("reject_second", [False, True], ids=["both approve", "one rejects"])
def test_of_two_deciders_one_wins(tenant: Tenant, users: dict[Role, User], reject_second: bool) -> None:
    with acting_as(users[Role.OPERATOR]):
        import_policy(UNOWNED_BUCKETS)
        import_rows([bucket(n) for n in range(6)])
        job = start_policy_scan(send=False)
        run_here(job)
        second = create_user(upn="second@example.org", role=Role.APPROVER, password=None)
        exception = request_exception(
            policy=Policy.objects.get(),
            resource=None,
            reason="for now",
            expires_at=timezone.now() + timedelta(days=1),
        )
    results = _decide_at_once([users[Role.APPROVER], second], exception.pk, reject_second)
    lost = [error for error in results if error is not None]
    assert len(lost) == 1
    assert isinstance(lost[0], StaleState), lost
    winner = [users[Role.APPROVER], second][results.index(None)]
    with acting_as(users[Role.OPERATOR]):
        exception.refresh_from_db()
        assert exception.decided_by_id == winner.pk
        approved = exception.status == "approved"
        assert approved is not (reject_second and winner == second)
        statuses = set(Violation.objects.values_list("status", flat=True))
        assert statuses == {"suppressed" if approved else "open"}
        assert ViolationEvent.objects.filter(kind="excepted").count() == (3 if approved else 0)
        assert counter_drift() == []
