"""docker-compose.yml and what it starts: accepted by the tool, complete, and loud where a secret is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chaos.stack import ROOT

COMPOSE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
ONE_SHOT = {"migrate", "buckets"}


def _tool() -> list[str]:
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]) is None:
            continue
        if subprocess.run([*words, "version"], capture_output=True, check=False).returncode == 0:
            return words
    pytest.skip("neither `docker compose` nor docker-compose is installed")


def _variables() -> dict[str, str]:
    """Every variable of .env.example, filled in."""
    names = re.findall(r"^#?([A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE)
    numbers = {"WEB_PORT": "8000", "S3_PORT": "8333", "WORKER_PROCESSES": "2", "PGBOUNCER_POOL": "20"}
    return {name: numbers.get(name, f"the-{name.lower()}") for name in names}


def _config(folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The tool's own reading of the file, with `variables` in its `.env`."""
    file = folder / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    shell = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [*_tool(), "--env-file", str(file), "-f", str(COMPOSE), "config"],
        cwd=ROOT,
        env=shell,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = _config(tmp_path_factory.mktemp("compose"), _variables())
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout)["services"])


def _required() -> list[str]:
    return sorted(set(re.findall(r"\$\{([A-Z0-9_]+):\?", COMPOSE.read_text())))


@pytest.mark.parametrize("name", _required())
def test_a_missing_variable_is_named(tmp_path: Path, name: str) -> None:
    variables = {key: value for key, value in _variables().items() if key != name}
    done = _config(tmp_path, variables)
    assert done.returncode != 0
    assert name in done.stderr


def test_every_variable_of_the_file_is_in_the_example_and_the_example_holds_no_secret() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE.read_text())) - {"DESK_VERSION"}
    assert used == set(_variables())
    lines = re.findall(r"^([A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    assert [pair for pair in lines if pair[1]] == [("SECURE_SSL_REDIRECT", "1")]


def test_no_secret_stands_in_the_file() -> None:
    values = yaml.safe_load(COMPOSE.read_text())["services"]
    for name, service in values.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|_KEY", key) and value and not key.endswith("_FILE"):
                assert str(value).startswith("${"), f"{name}: {key}"


def test_the_owner_and_the_admin_are_known_to_one_shot_services_only(services: dict[str, Any]) -> None:
    strong = ("the-database_owner_password", "the-s3_admin_secret", "the-postgres_superuser_password")
    knows = {name for name, service in services.items() if any(s in str(service) for s in strong)}
    assert knows == {"postgres", "s3", *ONE_SHOT}


def test_what_seals_the_audit_trail_is_known_to_the_sealer_only(services: dict[str, Any]) -> None:
    knows = {
        name
        for name, service in services.items()
        if any(secret in str(service) for secret in ("the-s3_sealer_secret", "/keys"))
    }
    assert knows == {"s3", "sealer"}
    owned = {name for name, service in services.items() if "the-database_sealer_password" in str(service)}
    assert owned == {"postgres", "migrate", "sealer"}


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all("127.0.0.1" in port for port in published), published


def test_what_runs_is_watched_started_again_and_holds_no_privilege(services: dict[str, Any]) -> None:
    assert set(services) == {
        *("postgres", "pgbouncer", "valkey", "s3", "web", "worker", "beat", "sealer"),
        *ONE_SHOT,
    }
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == ("on-failure" if name in ONE_SHOT else "unless-stopped"), name
        assert name in ONE_SHOT or "test" in service["healthcheck"], name
        assert name == "postgres" or service["read_only"] is True, name


def test_the_image_holds_what_the_services_run() -> None:
    """Each path that the Dockerfile copies is there, and the ignore file does not keep it away."""
    copied = re.findall(r"^COPY ([\w./]+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    ignored = set((ROOT / ".dockerignore").read_text().split())
    assert len(copied) > 5
    for path in copied:
        assert (ROOT / path).exists(), path
        assert path not in ignored
