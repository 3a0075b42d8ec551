from __future__ import annotations

import pytest
from django.db import DataError, connection, transaction

from apps.core.context import Actor, current, tenant_scope, tenant_transaction
from apps.core.errors import ContextOutsideTransaction
from apps.jobs.models import Job
from apps.tenancy.models import Tenant, User


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('rls.tenant_id', true)")
        return cursor.fetchone()[0] or ""


@pytest.mark.django_db
def test_nested_scopes_restore_what_was_there(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_transaction(tenant.id):
        assert setting() == str(tenant.id)
        with tenant_scope(other_tenant.id):
            assert setting() == str(other_tenant.id)
        assert setting() == str(tenant.id)
    assert setting() == ""
    assert current().tenant_id is None


@pytest.mark.django_db
def test_an_error_of_the_database_inside_a_scope_is_the_error_that_is_seen(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    with tenant_transaction(tenant.id):
        with (
            pytest.raises(DataError),
            transaction.atomic(),
            tenant_scope(other_tenant.id),
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT 1/0")
        assert setting() == str(tenant.id)


@pytest.mark.django_db(transaction=True)
def test_the_context_dies_with_its_transaction(tenant: Tenant) -> None:
    with tenant_transaction(tenant.id):
        assert setting() == str(tenant.id)
    assert setting() == ""


@pytest.mark.django_db(transaction=True)
def test_a_query_for_a_tenant_outside_a_transaction_fails_loudly(tenant: Tenant) -> None:
    with tenant_scope(tenant.id), pytest.raises(ContextOutsideTransaction):
        Job.objects.count()


@pytest.mark.django_db
def test_without_a_context_nothing_is_seen_and_nothing_fails(users: dict[str, User]) -> None:
    assert User.objects.count() == 0


@pytest.mark.django_db
def test_entering_a_context_costs_one_round_trip(tenant: Tenant, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    # In a test's transaction: once in, once back.
    with django_assert_num_queries(2), tenant_scope(tenant.id, Actor.system("test")):
        pass
