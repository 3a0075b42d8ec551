"""Starts the suite's servers once a run and lets every test reach the database as the app role.

With pytest-xdist the controller starts them and the workers inherit the addresses by the environment. The
settings module is named here: from the configuration file it is read before the addresses are known.
"""

from __future__ import annotations

import os
from pathlib import Path

import django
import pytest
from django.conf import settings

from governance.embedded import postgres
from tests import servers
from tests.database import django_db_setup

__all__ = ["django_db_setup"]

pytest_plugins = ["tests.fixtures.estate", "tests.fixtures.clouds"]

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
# The modules that a run on TimescaleDB takes beside the tests marked `timescale`.
SCHEMA_CATALOG = "schema_catalog"

if not IS_WORKER:
    if settings.configured:
        raise pytest.UsageError(
            "Django's settings were read before the servers' addresses are known: unset --ds"
        )
    # A test's rows lie in one transaction: to a vacuum in its midst a table of 100,000 is empty, and every plan after it is
    # made for that. (It made a test of a minute last for more than ten.)
    postgres.FORGETFUL["autovacuum"] = "off"
    SERVERS = servers.reserve(servers.new_folder())
    os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get("TEST_SETTINGS_MODULE", "governance.settings.test")
django.setup()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers: in the controller, and only where tests will run."""
    if not (IS_WORKER or config.option.collectonly or config.option.help or config.option.version):
        SERVERS.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop them."""
    if not IS_WORKER:
        SERVERS.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On TimescaleDB: tests marked `timescale` and the schema catalog's. Elsewhere the marked ones skip."""
    if os.environ.get("TEST_POSTGRES") == "timescale":
        chosen = [item for item in items if _is_for_timescale(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
        return
    skip = pytest.mark.skip(reason="needs TimescaleDB: make test-timescale")
    for item in items:
        if item.get_closest_marker("timescale"):
            item.add_marker(skip)


def _is_for_timescale(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("timescale")) or SCHEMA_CATALOG in Path(item.path).stem
