"""The supervisor with real servers: what is killed comes back, and nothing outlives its end."""

import contextlib
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import redis
from botocore.exceptions import BotoCoreError, ClientError

from governance.embedded import __main__ as control
from governance.embedded import addresses, leftovers, ports, state, watched
from tests.embedded.conftest import Desk
from tests.servers import new_folder

SERVERS = ("postgres", "valkey", "s3")


def _write(desk: Desk, text: str) -> None:
    at = addresses.environment(desk.var, desk.environ)
    with psycopg.connect(at["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS trial (text text)")
        connection.execute("INSERT INTO trial VALUES (%s)", [text])
    with redis.Redis.from_url(at["REDIS_URL"]) as cache:
        cache.set("trial", text)
        cache.execute_command("WAITAOF", 1, 0, 5000)  # appendfsync everysec
    with _s3(at) as client:
        client.put_object(Bucket=at["EVIDENCE_BUCKET"], Key="trial", Body=text.encode())


def _read(desk: Desk) -> tuple[str, str, str]:
    at = addresses.environment(desk.var, desk.environ)
    with psycopg.connect(at["DATABASE_OWNER_URL"]) as connection:
        row = connection.execute("SELECT text FROM trial").fetchone()
    with redis.Redis.from_url(at["REDIS_URL"]) as cache:
        kept = cache.get("trial")
    with _s3(at) as client:
        stored = client.get_object(Bucket=at["EVIDENCE_BUCKET"], Key="trial")["Body"].read()
    return str(row and row[0]), bytes(kept or b"").decode(), stored.decode()


def _s3(at: dict[str, str]) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=at["EVIDENCE_S3_ENDPOINT"],
        aws_access_key_id=at["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=at["AWS_SECRET_ACCESS_KEY"],
        region_name=at["AWS_DEFAULT_REGION"],
    )
    return contextlib.closing(client)


@pytest.mark.slow
def test_every_killed_child_comes_back_with_its_data(desk: Desk) -> None:
    desk.start()
    _write(desk, "before")
    for name in (*SERVERS, "web", "worker"):
        before = desk.child(name)
        os.kill(before, signal.SIGKILL)
        desk.wait_for(lambda name=name, before=before: desk.child(name) != before)
        assert leftovers.birth(before) is None
    desk.wait_for(lambda: _answers_all(desk))
    assert _read(desk) == ("before", "before", "before")
    desk.stop()


def _answers_all(desk: Desk) -> bool:
    try:
        _read(desk)
    except (psycopg.OperationalError, redis.RedisError, BotoCoreError, ClientError):
        return False
    return True


def test_killed_supervisor_leaves_no_orphan_and_the_next_start_works(desk: Desk) -> None:
    desk.start()
    _write(desk, "kept")
    children = desk.children()
    born = {pid: leftovers.birth(pid) for pid in children.values()}
    assert desk.process is not None
    desk.process.kill()
    desk.process.wait()
    desk.process = None
    desk.wait_for(lambda: all(leftovers.birth(pid) != birth for pid, birth in born.items()), 20)
    assert state.running(desk.var) is None
    desk.start()
    assert not set(desk.children().values()) & set(children.values())
    assert _read(desk)[0] == "kept"
    desk.stop()


def test_second_start_says_that_it_runs(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.start()
    second = desk.launch()
    assert second.wait(20) != 0
    assert "a supervisor already runs" in desk.said()
    assert control.up(desk.var) == 0
    assert f"It already runs: http://127.0.0.1:{desk.environ['WEB_PORT']}/" in capsys.readouterr().out
    assert control.status(desk.var) == 0
    shown = capsys.readouterr().out
    assert all(f"{name} " in shown for name in (*SERVERS, "web", "worker"))
    children = desk.children()
    assert control.down(desk.var) == 0
    assert desk.process is not None and desk.process.wait(5) == 0
    assert all(leftovers.birth(pid) is None for pid in children.values())
    assert control.down(desk.var) == 0
    assert "Nothing runs." in capsys.readouterr().out


@pytest.mark.slow
def test_ports_secrets_and_data_stay_over_a_restart(desk: Desk) -> None:
    desk.start()
    _write(desk, "kept")
    before = addresses.environment(desk.var, desk.environ)
    desk.stop()
    desk.start()
    assert addresses.environment(desk.var, desk.environ) == before
    assert _read(desk) == ("kept", "kept", "kept")
    desk.stop()


@pytest.mark.slow
def test_external_server_is_not_started(desk: Desk) -> None:
    desk.start(REDIS_URL="redis://127.0.0.1:1/0", EVIDENCE_S3_ENDPOINT="http://127.0.0.1:1")
    assert set(desk.children()) == {"postgres", "web", "worker"}
    assert state.read(desk.var)["external"] == ["s3", "valkey"]
    desk.stop()


def test_failed_migration_fails_the_start_and_stops_everything(desk: Desk) -> None:
    process = desk.launch(TRIAL_MIGRATE="7")
    assert process.wait(40) == 1
    now = state.read(desk.var)
    assert now["phase"] == state.FAILED
    assert "migrate ended with 7" in now["detail"]
    assert all(leftovers.birth(pid) is None for pid in now["children"].values())


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_as_root_in_an_open_folder_postgres_runs_as_nobody(desk: Desk) -> None:
    folder = new_folder()
    desk.var = folder
    desk.start()
    assert Path(f"/proc/{desk.child('postgres')}").stat().st_uid == 65534
    desk.stop()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root passes a closed folder")
def test_as_root_below_a_closed_folder_postgres_is_nobody_with_one_capability(desk: Desk) -> None:
    desk.var.parent.chmod(0o700)
    desk.start()
    process = Path(f"/proc/{desk.child('postgres')}")
    assert process.stat().st_uid == 65534
    assert re.search(r"^CapEff:\s*0*([24])$", (process / "status").read_text(), re.MULTILINE)
    desk.stop()


def test_held_port_is_chosen_anew_and_a_free_one_stays(tmp_path: Path) -> None:
    before = ports.read(tmp_path)
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", before["valkey"]))
            other.listen()
        except OSError:
            pass  # somebody else on this machine was faster, and holds it as well
        after = ports.renew(tmp_path)
    assert after["valkey"] != before["valkey"]
    assert {**after, "valkey": before["valkey"]} == before
    assert ports.read(tmp_path) == after


def test_backoff_doubles_up_to_its_limit() -> None:
    waits = [watched.backoff(failures) for failures in range(1, 10)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == watched.LONGEST_BACKOFF
