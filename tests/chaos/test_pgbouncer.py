"""Everything through PgBouncer in transaction mode, started as the deployment starts it, with two connections.

Many clients of two tenants share those two, so whatever one left behind on a connection another would see.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import psycopg
import pytest

from governance.embedded import addresses, kept, ports, web
from governance.embedded.account import unprivileged
from governance.embedded.process import Process, Program
from tests.chaos.conftest import Estate
from tests.chaos.stack import ROOT, Stack

pytestmark = pytest.mark.slow

SERVER_CONNECTIONS = 2
THREADS_A_TENANT = 8
REQUESTS = 20
PAGES = ("resources/", "violations/", "violations/latest-open/", "policies/", "scans/", "jobs/", "audits/")
PASSWORD = "correct horse battery staple"


@dataclass
class Bounced:
    """A stack whose product reaches PostgreSQL through PgBouncer; `url` is the app role's address there."""

    stack: Stack
    url: str
    web_port: int
    environment: dict[str, str]


@pytest.fixture
def bounced(acme: Estate) -> Iterator[Bounced]:
    if shutil.which("pgbouncer") is None:
        pytest.skip("no PgBouncer: apt-get install pgbouncer")
    stack, port, web_port = acme.stack, ports.choose(set()), ports.choose(set())
    direct = urlsplit(addresses.without_owner(stack.environment)["DATABASE_URL"])
    url = f"postgresql://{direct.username}:{direct.password}@{ports.LOOPBACK}:{port}{direct.path}"
    environment = addresses.without_owner(stack.environment) | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "governance.settings.prod",
        "ALLOWED_HOSTS": ports.LOOPBACK,
    }
    bouncer = Process(_bouncer(stack, port, str(direct.password)))
    while not bouncer.check_ready():
        pass
    desk = Process(
        replace(
            web.program(ROOT, stack.var / "log" / "web.log", web_port, environment),
            ready=lambda pid, text: _get(web_port, "/health/ready", "")[0] == http.client.OK,
        )
    )
    kept_programs = dict(stack.programs)
    for name in ("worker", "beat"):
        without_pool = environment | {"DATABASE_POOL": "0"}
        stack.programs[name] = replace(stack.programs[name], environment=without_pool)
    try:
        while not desk.check_ready():
            pass
        yield Bounced(stack, url, web_port, environment)
    finally:
        stack.halt("worker", "beat")
        stack.programs = kept_programs
        desk.stop()
        bouncer.stop()


def _bouncer(stack: Stack, port: int, password: str) -> Program:
    folder = stack.var / "pgbouncer"
    kept.make_folder(folder)
    account = unprivileged([folder])
    if os.geteuid() == 0:
        os.chown(folder, account.uid, account.gid)
    environment = {
        "PATH": f"{os.defpath}:/usr/sbin",
        "RUN_FOLDER": str(folder),
        "DATABASE_HOST": ports.LOOPBACK,
        "DATABASE_PORT": str(ports.read(stack.var)["postgres"]),
        "DATABASE_NAME": addresses.DATABASE,
        "DATABASE_APP": addresses.APP,
        "DATABASE_APP_PASSWORD": password,
        "PGBOUNCER_LISTEN": ports.LOOPBACK,
        "PGBOUNCER_PORT": str(port),
        "PGBOUNCER_POOL": str(SERVER_CONNECTIONS),
    }
    return Program(
        name="pgbouncer",
        command=["sh", str(ROOT / "deploy" / "pgbouncer" / "start.sh")],
        log=stack.var / "log" / "pgbouncer.log",
        cwd=folder,
        environment=environment,
        ready=lambda pid, text: "process up" in text,
        account=account,
        stop_signal=signal.SIGINT,
    )


def _get(port: int, path: str, token: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=40)
    try:
        headers = {"X-Forwarded-Proto": "https", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def _token(stack: Stack, slug: str) -> str:
    upn = f"admin@{slug}.example"
    who = ("--tenant", slug, "--json", "--upn", upn)
    stack.manage("user", "create", *who, "--role", "admin", "--password", PASSWORD)
    return str(stack.manage("token", "create", *who)["token"])


def _ids_of(stack: Stack, slug: str) -> set[str]:
    """Every id of the tenant's rows that the pages list."""
    tables = ("resources", "violations", "policies", "scan_runs", "jobs", "audits")
    union = " UNION ALL ".join(f"SELECT id::text, tenant_id FROM {table}" for table in tables)
    return {
        row[0]
        for row in stack.query(
            f"SELECT r.id FROM ({union}) r JOIN tenants t ON t.id = r.tenant_id WHERE t.slug = %s", [slug]
        )
    }


def test_no_answer_shows_another_tenants_row(acme: Estate, bounced: Bounced) -> None:
    stack = bounced.stack
    stack.manage("tenant", "create", "Rival", "--slug", "rival", "--json")
    stack.manage("inventory", "import", "--tenant", "rival", "--json", str(acme.file))
    tokens = {slug: _token(stack, slug) for slug in ("acme", "rival")}
    job_id = acme.scan()
    stack.start("worker", "beat")
    seen: dict[str, set[str]] = {"acme": set(), "rival": set()}
    failures: list[str] = []

    def hammer(slug: str, offset: int) -> None:
        for number in range(REQUESTS):
            page = PAGES[(number + offset) % len(PAGES)]
            status, body = _get(bounced.web_port, f"/api/v1/{page}", tokens[slug])
            if status != http.client.OK:
                failures.append(f"{slug} {page}: {status} {body[:300]!r}")
                continue
            seen[slug].update(str(row["id"]) for row in json.loads(body)["results"])

    threads = [
        threading.Thread(target=hammer, args=(slug, number))
        for number in range(THREADS_A_TENANT)
        for slug in tokens
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    stack.wait_for(lambda: acme.job(job_id)["status"] not in ("queued", "running"))
    assert acme.job(job_id)["status"] == "succeeded", acme.job(job_id)["error"]
    assert acme.findings() == acme.truth
    assert acme.drift() == []
    for slug, ids in seen.items():
        assert len(ids) > 50, slug
        assert ids <= _ids_of(stack, slug), slug
    _shared_and_clean(bounced)


def _shared_and_clean(bounced: Bounced) -> None:
    """All of it went over the two connections, on which a newcomer finds no tenant and no prepared statement."""
    rows = bounced.stack.query("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [addresses.APP])
    assert rows[0][0] <= SERVER_CONNECTIONS
    pids = set()
    clients = [psycopg.connect(bounced.url, prepare_threshold=None) for _ in range(SERVER_CONNECTIONS)]
    for client in clients:  # each holds its transaction open, so that they sit on different connections
        row = client.execute(
            "SELECT pg_backend_pid(), coalesce(current_setting('rls.tenant_id', true), ''),"
            " (SELECT count(*) FROM resources), (SELECT count(*) FROM pg_prepared_statements),"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
        ).fetchone()
        assert row is not None
        assert row[1:] == ("", 0, 0, 0)
        pids.add(row[0])
    for client in clients:
        client.close()
    assert len(pids) == SERVER_CONNECTIONS
