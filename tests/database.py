"""How pytest-django meets the two roles: `owner` makes the test database, `default` uses it as the app.

`default` has TEST = {"MIRROR": "owner"}, so it takes over the test database's name and keeps its own role.
Two things don't follow from that by themselves and are done here: pytest-django sets up only the aliases that
tests ask for (never `owner`), and after a transactional test Django empties only what is no mirror (nothing).
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases
from psycopg import sql


class Emptying:
    """Empties the test database after a transactional test, as the owner, by a connection of its own.

    Tables that migrations have filled (content types, permissions, the schema's version) stay as they are.
    """

    def __init__(self) -> None:
        settings = connections["owner"].settings_dict
        self._connection = psycopg.connect(
            host=settings["HOST"],
            port=settings["PORT"] or 5432,
            user=settings["USER"],
            password=settings["PASSWORD"],
            dbname=settings["NAME"],
            autocommit=True,
        )
        self._filled = {table for table in self._own_tables() if self._has_rows(table)}

    def _own_tables(self) -> list[str]:
        rows = self._connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"
        )
        return [name for (name,) in rows]

    def _has_rows(self, table: str) -> bool:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
        row = self._connection.execute(query).fetchone()
        return row is not None and bool(row[0])

    def run(self) -> None:
        """TRUNCATE, without CASCADE: it would reach tables that are to stay."""
        tables = [sql.Identifier(table) for table in self._own_tables() if table not in self._filled]
        if tables:
            self._connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))

    def close(self) -> None:
        """Close the connection, so that the database can be dropped."""
        self._connection.close()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: pytest.FixtureRequest,
    django_db_keepdb: bool,
    django_db_createdb: bool,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """In place of pytest-django's: one database, made and migrated by the owner role."""
    with django_db_blocker.unblock():
        made = setup_databases(
            verbosity=0,
            interactive=False,
            aliases={"owner"},
            serialized_aliases=set(),
            keepdb=django_db_keepdb and not django_db_createdb,
        )
        emptying = Emptying()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: emptying.run())
        yield
    emptying.close()
    with django_db_blocker.unblock():
        connections.close_all()
        if not django_db_keepdb:
            teardown_databases(made, verbosity=0)
