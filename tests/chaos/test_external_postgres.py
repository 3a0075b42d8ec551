"""A PostgreSQL that somebody else runs: roles made as the documentation says, and what goes wrong there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.chaos.external_postgres import Cluster, manage, programs
from tests.chaos.stack import ROOT

pytestmark = pytest.mark.slow

PLAIN = ("governance_owner", "governance_app", "governance")
QUOTED = ('gov "owner" 1', "App-Röle %s", 'the "desk"; --')


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("no PostgreSQL of the operating system: apt-get install postgresql")
    made = Cluster.start(bin_folder)
    yield made
    made.stop()


@pytest.mark.parametrize("names", [PLAIN, QUOTED], ids=["plain", "quoted"])
def test_migrate_works_and_a_second_time_changes_nothing(
    cluster: Cluster, names: tuple[str, str, str]
) -> None:
    owner, app, database = names
    environment = cluster.make_roles(owner, app, database)
    first = manage(environment, "migrate", "--no-input")
    assert first.returncode == 0, first.stderr
    dump = cluster.dump(database)
    assert dump.count("FORCE ROW LEVEL SECURITY") > 20
    second = manage(environment, "migrate", "--no-input")
    assert second.returncode == 0, second.stderr
    assert "No migrations to apply" in second.stdout
    assert cluster.dump(database) == dump
    made = manage(environment, "tenant", "create", "Acme", "--json")
    assert made.returncode == 0, made.stderr
    # Checkpoints are read from the store and not from the database: without one nothing is said to be verified.
    verified = manage(environment, "audit", "verify", "--tenant", "acme", "--json")
    assert (verified.returncode, "evidence-store-away" in verified.stdout) == (1, True), verified.stderr


def test_the_schema_is_the_specified_one(cluster: Cluster) -> None:
    """Its tests make a database of their own, so here, and only here, the owner may."""
    environment = cluster.make_roles("catalog_owner", "catalog_app", "catalog")
    with cluster.superuser() as connection:
        connection.execute("ALTER ROLE catalog_owner CREATEDB")
    command = [sys.executable, "-m", "pytest", "-q", "tests/core/test_schema_catalog.py"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout


def test_an_app_role_that_does_not_exist_is_named(cluster: Cluster) -> None:
    cluster.make_roles("lone_owner", "lone_app", "lone")
    environment = cluster.environment("lone_owner", "nobody's app", "lone")
    failed = manage(environment, "migrate", "--no-input")
    assert failed.returncode != 0
    assert "The role nobody's app of DATABASE_URL does not exist. Create it: CREATE ROLE" in failed.stderr
    # What was missing is made, and the same command ends what it began.
    with cluster.superuser() as connection:
        connection.execute("""CREATE ROLE "nobody's app" LOGIN NOSUPERUSER NOBYPASSRLS""")
    assert manage(environment, "migrate", "--no-input").returncode == 0


def test_a_role_that_passes_by_row_level_security_is_refused(cluster: Cluster) -> None:
    environment = cluster.make_roles("strong_owner", "strong_app", "strong")
    assert manage(environment, "migrate", "--no-input").returncode == 0
    check = [sys.executable, "-c", "import governance.wsgi"]
    weak = subprocess.run(check, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert weak.returncode == 0, weak.stderr
    with cluster.superuser() as connection:
        connection.execute("ALTER ROLE strong_app BYPASSRLS")
    strong = subprocess.run(check, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert strong.returncode != 0
    assert "DATABASE_URL has BYPASSRLS" in strong.stderr
