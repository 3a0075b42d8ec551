"""A database of its own for the rules' statements, on the suite's server, and the public corpora."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests.rules import database
from tests.rules.server import running

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def rules_connection() -> Iterator[psycopg.Connection]:
    """An autocommit connection to an empty database with the two inventory tables."""
    with running() as address, psycopg.connect(address, autocommit=True) as connection:
        database.create(connection, "rules")
        connection.execute("set statement_timeout = '60s'")
        yield connection


@pytest.fixture
def inventory(rules_connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The connection with both tables empty, before and after."""
    database.empty(rules_connection)
    yield rules_connection
    database.empty(rules_connection)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of public data; tests that read it skip where it is absent."""
    given = os.environ.get("CORPORA_DIR")
    folder = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip("the public corpora are not here (CORPORA_DIR)")
    return folder


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW
