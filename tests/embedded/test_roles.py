"""The test database is reached as the app role; the owner made it and empties it."""

import uuid

import psycopg
import pytest
from django.db import ProgrammingError, connections, transaction
from django.test import TransactionTestCase


def _role(alias: str) -> tuple[object, ...]:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls, current_database() FROM pg_roles"
            " WHERE rolname = current_user"
        )
        return tuple(cursor.fetchone())


@pytest.mark.django_db(databases=["default", "owner"])
def test_default_is_the_app_role_on_the_owners_database() -> None:
    app, owner = _role("default"), _role("owner")
    assert app[:3] == ("governance_app", False, False)
    assert owner[:3] == ("governance_owner", False, False)
    assert app[3] == owner[3]
    assert str(app[3]).startswith("test_governance")


@pytest.mark.django_db
def test_app_role_may_not_change_the_schema() -> None:
    with pytest.raises(ProgrammingError), transaction.atomic(), connections["default"].cursor() as cursor:
        cursor.execute("CREATE TABLE public.trial (id int)")


@pytest.mark.django_db(transaction=True)
def test_a_transactional_test_is_emptied_by_the_owner_but_for_what_migrations_filled() -> None:
    with psycopg.connect(**_owner_parameters(), autocommit=True) as owner:
        owner.execute("INSERT INTO tenants (id, name) VALUES (%s, 'trial')", [uuid.uuid4()])
        types = owner.execute("SELECT count(*) FROM django_content_type").fetchone()
        TransactionTestCase._fixture_teardown(TransactionTestCase())
        assert owner.execute("SELECT count(*) FROM tenants").fetchone() == (0,)
        assert owner.execute("SELECT count(*) FROM django_content_type").fetchone() == types != (0,)


def _owner_parameters() -> dict[str, object]:
    settings = connections["owner"].settings_dict
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
    return {parameter: settings[name] for name, parameter in names.items()}
