"""The demo's cloud remembers: after kill -9 and a new start every id, date and setting is what it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.aws.inventory import page_of, scopes_of
from apps.desk.demo.cloud_estate import REGIONS, clients, make_estate
from governance.embedded import cloud, ports

ROOT = Path(__file__).resolve().parents[2]


class Server:
    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, ports.choose(set())
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "governance.embedded.cloud_server", str(self._folder), str(self.port)]
        program = cloud.program(ROOT, self._folder, self._folder / "log", self.port, os.environ)
        assert program.command == words
        self._child = subprocess.Popen(
            words,
            cwd=ROOT,
            env=dict(program.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while not cloud.answers(self.port):
            assert self._child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def kill(self) -> None:
        os.kill(self._child.pid, signal.SIGKILL)
        self._child.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Server], Any]:
    monkeypatch.setenv("TRIAL_CLOUD_ACCESS_KEY_ID", "AKIADEMO")
    monkeypatch.setenv("TRIAL_CLOUD_SECRET_ACCESS_KEY", "demo")

    def everything(server: Server) -> Any:
        reference = CredentialReference("environment", {"prefix": "TRIAL_CLOUD"})
        opened = AwsCloud(AccountAccess("aws", "123456789012", reference, REGIONS, server.url))
        pages = [page_of(opened, scope) for scope in scopes_of(opened)]
        assert all(page.token is None for page in pages)
        return [record for page in pages for record in page.records]

    return everything


@pytest.mark.slow
def test_ids_and_dates_survive_kill_9(server: Server, listed: Callable[[Server], Any]) -> None:
    client = clients(server.url, "AKIADEMO", "demo")
    make_estate(client)
    before = listed(server)
    assert len(before) > 35
    keys = client("iam").list_access_keys(UserName="ci-deploy")["AccessKeyMetadata"]
    server.kill()
    with (server._folder / "recording.ndjson").open("a") as file:
        file.write('{"method": "POST", "url"')  # a line that the kill has cut short
    server.start()
    # Things that were only read in the first run come in another order now.
    client("ec2", "ap-south-1").describe_vpcs()
    assert listed(server) == before
    assert client("iam").list_access_keys(UserName="ci-deploy")["AccessKeyMetadata"] == keys
    make_estate(client)
    assert listed(server) == before, "filling again changes nothing"
    client("s3").delete_bucket(Bucket="nw-exports")
    server.kill()
    server.start()
    assert {"nw-exports"} == {r.name for r in before} - {r.name for r in listed(server)}
