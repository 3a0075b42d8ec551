"""Management commands: help, JSON for machines, a non-zero exit, and the offending input by name."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.catalog.models import Resource
from apps.core.context import tenant_transaction
from apps.findings.models import Violation
from apps.tenancy.models import Tenant, User
from tests.fixtures.estate import UNOWNED_BUCKETS, bucket

pytestmark = pytest.mark.django_db

OURS = {
    "tenant": ["create"],
    "account": ["create"],
    "user": ["create"],
    "token": ["create"],
    "inventory": ["import"],
    "policies": ["import"],
    "scan": [],
    "demo": ["fill"],
    "audit": ["verify"],
    "report": ["build"],
}


def run(*args: str) -> Any:
    out = io.StringIO()
    call_command(*args, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import get_commands, load_command_class

    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    with pytest.raises(SystemExit) as left:
        parser.parse_args([*OURS[name], "--help"])
    assert left.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_the_loop_by_commands(tenant: Tenant, tmp_path: Path) -> None:
    inventory = tmp_path / "rows.ndjson"
    inventory.write_text("".join(json.dumps(bucket(n)) + "\n" for n in range(4)) + "{}\n")
    policies = tmp_path / "policy.yml"
    policies.write_text(UNOWNED_BUCKETS)
    imported = run("inventory", "import", "--tenant", tenant.slug, str(inventory))
    assert {k: imported[k] for k in ("read", "written", "unchanged", "refused")} == {
        "read": 5,
        "written": 4,
        "unchanged": 0,
        "refused": 1,
    }
    assert imported["refusals"][0]["line"] == 5
    assert run("policies", "import", "--tenant", str(tenant.id), str(policies))["compiled"] == 1
    assert run("scan", "policy", "--tenant", tenant.slug)["opened"] == 2
    with tenant_transaction(tenant.id):
        assert Violation.objects.count() == 2


def test_a_security_scan_by_the_command(tenant: Tenant, tmp_path: Path) -> None:
    user = {"UserName": "ana", "MFADevices": [], "LoginProfile": {"CreateDate": "2020-01-01T00:00:00Z"}}
    row = {
        "id": "arn:aws:iam::111122223333:user/ana",
        "provider": "aws",
        "type": "aws.iam-user",
        "name": "ana",
    }
    inventory = tmp_path / "rows.ndjson"
    inventory.write_text(json.dumps({**row, "properties": user}))
    run("inventory", "import", "--tenant", tenant.slug, str(inventory))
    first = run("scan", "security", "--tenant", tenant.slug)
    assert (first["status"], first["opened"], first["errors"]) == ("succeeded", 2, 0)
    again = run("scan", "security", "--tenant", tenant.slug, "--mode", "incremental")
    assert (again["mode"], again["opened"], again["still_open"]) == ("incremental", 0, 2)
    assert run("scan", "security", "--tenant", tenant.slug, "--queue")["status"] == "queued"
    with tenant_transaction(tenant.id):
        assert set(Violation.objects.values_list("source", flat=True)) == {"security"}


def test_queue_only_enqueues(tenant: Tenant) -> None:
    answer = run("scan", "policy", "--tenant", tenant.slug, "--queue")
    assert answer["status"] == "queued"


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (["scan", "policy", "--tenant", "nobody"], "nobody"),
        (["inventory", "import", "--tenant", "{t}", "/no/such/file"], "/no/such/file"),
        (["inventory", "import", "--tenant", "{t}", "--format", "xml", "{file}"], "xml"),
        (["user", "create", "--tenant", "{t}", "--upn", "a", "--role", "root"], "root"),
        (["token", "create", "--tenant", "{t}", "--user", "ghost"], "ghost"),
    ],
)
def test_a_failure_names_the_offending_input(
    tenant: Tenant, tmp_path: Path, args: list[str], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f"
    file.write_text("{}")
    filled = [a.format(t=tenant.slug, file=file) if "{" in a else a for a in args]
    with pytest.raises(CommandError, match=names):
        call_command(*filled)
    out = io.StringIO()
    with pytest.raises(SystemExit) as left:
        call_command(*filled, "--json", stdout=out)
    assert left.value.code == 1
    assert names in json.loads(out.getvalue())["error"]["message"]
    with tenant_transaction(tenant.id):
        assert (Resource.objects.count(), User.objects.count()) == (0, 0)
