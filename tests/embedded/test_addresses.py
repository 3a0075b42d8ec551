import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from governance.embedded import addresses, applications

ROOT = Path(__file__).resolve().parents[2]


def test_every_process_that_asks_first_gets_the_same_secrets_and_ports(tmp_path: Path) -> None:
    code = (
        "import json, pathlib, sys; from governance.embedded.addresses import environment;"
        " print(json.dumps(environment(pathlib.Path(sys.argv[1]), {})))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "var"], cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    answers = {process.communicate(timeout=30)[0] for process in started}
    assert len(answers) == 1
    assert json.loads(answers.pop()) == addresses.environment(tmp_path / "var", {})


def test_secrets_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    addresses.environment(tmp_path, {})
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_half_a_secrets_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{\n"django": ')
    with pytest.raises(ValueError, match=r"secrets\.json: line 2"):
        addresses.environment(tmp_path, {})


@pytest.mark.parametrize(
    ("set_one", "missing"),
    [("DATABASE_URL", "DATABASE_OWNER_URL is not"), ("DATABASE_OWNER_URL", "DATABASE_URL is not")],
)
def test_one_database_address_without_the_other_names_the_missing_one(set_one: str, missing: str) -> None:
    with pytest.raises(addresses.MissingVariable, match=missing):
        addresses.external({set_one: "postgresql://someone@example.org/governance"})


def test_nothing_of_an_external_group_is_filled_in(tmp_path: Path) -> None:
    environ = {
        "DATABASE_URL": "postgresql://app@db.example.org/desk",
        "DATABASE_OWNER_URL": "postgresql://owner@db.example.org/desk",
        "EVIDENCE_S3_ENDPOINT": "https://s3.example.org",
    }
    ours = addresses.environment(tmp_path, environ)
    assert set(ours) == {
        *("REDIS_URL", "EVIDENCE_BUCKET", "EVIDENCE_STAGING_BUCKET", "DJANGO_SECRET_KEY"),
        *("AUDIT_CHECKPOINT_BUCKET", "AUDIT_SIGNING_KEY_FILE", "AUDIT_PUBLIC_KEY_FILE"),
        *("BASE_URL", "EMAIL_URL", "EMAIL_FROM", "WEBHOOK_KEY"),
        *("DEMO_CLOUD_URL", "DEMO_CLOUD_ACCESS_KEY_ID", "DEMO_CLOUD_SECRET_ACCESS_KEY"),
    }
    assert addresses.complete(tmp_path, environ) == {**ours, **environ}


def test_our_s3_is_not_reached_with_somebody_elses_credentials(tmp_path: Path) -> None:
    foreign = {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SESSION_TOKEN": "theirs", "AWS_PROFILE": "theirs"}
    complete = addresses.complete(tmp_path, foreign)
    assert "theirs" not in complete.values()
    assert complete["AWS_ACCESS_KEY_ID"] == addresses.secrets_of(tmp_path)["s3_app_key"]


def test_web_worker_and_beat_have_no_owner_address(tmp_path: Path) -> None:
    environment = addresses.complete(tmp_path, {})
    made = applications.product(tmp_path, environment)
    assert made.migrate.environment["DATABASE_OWNER_URL"] == environment["DATABASE_OWNER_URL"]
    cloud = next(program for program in made.others if program.name == "cloud")
    assert not [name for name in cloud.environment if name.startswith(("DATABASE", "AWS", "EVIDENCE"))]
    for program in (made.web, *(other for other in made.others if other is not cloud)):
        assert program.environment["DATABASE_OWNER_URL"] == ""
        assert "DATABASE_OWNER_URL" not in addresses.environment(tmp_path, program.environment)
        assert program.environment["DATABASE_URL"] == environment["DATABASE_URL"]


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1"])
def test_web_port_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="WEB_PORT"):
        addresses.web_port({"WEB_PORT": text})
