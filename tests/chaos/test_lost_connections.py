"""A connection that the server drops costs the statement that ran on it, and nothing after."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest
from django.db import OperationalError, connection

from apps.catalog.models import Resource
from apps.core.context import tenant_scope, tenant_transaction
from apps.jobs.models import Job
from apps.tenancy.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)


def _in_thread_of_its_own(work: Callable[[], None]) -> None:
    """As a web server's thread: with a connection of its own. Re-raises what `work` raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def _drop(pid: int) -> None:
    """As the server does when it stops or crashes; a role may end its own connections."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"],
    ) as killer:
        assert killer.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_connection_lost_between_transactions_costs_one_of_them(tenant: Tenant) -> None:
    def work() -> None:
        with tenant_transaction(tenant.id):
            pid = _backend()
        _drop(pid)
        with pytest.raises(OperationalError), tenant_transaction(tenant.id):
            pass
        with tenant_transaction(tenant.id):
            assert Job.objects.count() == 0
            assert _backend() != pid

    _in_thread_of_its_own(work)


def test_a_connection_lost_in_a_transaction_costs_that_one(tenant: Tenant) -> None:
    def work() -> None:
        with pytest.raises(OperationalError), tenant_transaction(tenant.id):
            _drop(_backend())
            Resource.objects.count()
        with tenant_transaction(tenant.id):
            assert Resource.objects.count() == 0

    _in_thread_of_its_own(work)


def test_a_connection_lost_in_a_nested_scope_leaves_the_context_as_it_was(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    def work() -> None:
        with pytest.raises(OperationalError), tenant_transaction(tenant.id), tenant_scope(other_tenant.id):
            _drop(_backend())
            Resource.objects.count()
        with tenant_transaction(tenant.id), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('rls.tenant_id')")
            assert cursor.fetchone() == (str(tenant.id),)

    _in_thread_of_its_own(work)
