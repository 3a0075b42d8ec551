"""What settings make of the addresses and of the lease's length."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from governance.settings.base import databases
from governance.settings.environment import Environment
from governance.settings.servers import server_settings
from tests.chaos.stack import ROOT

ADDRESSES = {
    "DATABASE_URL": "postgresql://app:x@db.example.org/desk?sslmode=verify-full",
    "DATABASE_OWNER_URL": "postgresql://owner:x@db.example.org/desk?sslmode=verify-full",
    "REDIS_URL": "redis://r.example.org",
    "DJANGO_SECRET_KEY": "x",
    "EVIDENCE_BUCKET": "evidence",
}


@pytest.mark.parametrize("pool", [True, False])
def test_what_an_address_asks_for_is_kept(pool: bool) -> None:
    made = databases(Environment(ADDRESSES), pool=pool)
    assert made["default"]["OPTIONS"]["sslmode"] == "verify-full"
    assert made["owner"]["OPTIONS"]["sslmode"] == "verify-full"
    assert ("pool" in made["default"]["OPTIONS"]) is pool
    assert "pool" not in made["owner"]["OPTIONS"]


def test_nothing_lives_on_a_connection_between_transactions() -> None:
    default = databases(Environment(ADDRESSES), pool=True)["default"]
    assert default["OPTIONS"]["prepare_threshold"] is None
    assert default["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert default["CONN_HEALTH_CHECKS"] is True


def test_a_lease_that_is_too_short_to_renew_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="JOB_LEASE_SECONDS"):
        server_settings(Environment(ADDRESSES | {"JOB_LEASE_SECONDS": "2"}), pool=False)
    assert server_settings(Environment(ADDRESSES), pool=False)["JOB_LEASE_SECONDS"] == 30


def test_a_worker_forks_no_pool() -> None:
    """What the worker's parent asked PostgreSQL before it forks leaves no pool for the children to share."""
    code = (
        "import django; django.setup()\n"
        "from celery.signals import worker_init\n"
        "from django.db import connections\n"
        "assert connections['default'].settings_dict['OPTIONS']['pool']\n"
        "worker_init.send(sender=None)\n"
        "print(connections['default']._connection_pools)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "governance.settings.prod", "ALLOWED_HOSTS": "x"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{}"
