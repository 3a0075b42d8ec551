"""A large file streams: memory does not grow with its rows, and importing it again changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.stack import ROOT, Stack

pytestmark = pytest.mark.slow

SMALL, LARGE = 20_000, 200_000
# The import remembers which row of a key is its last, some 100 bytes a key; the rest must not grow at all.
ALLOWED_KIB = 80 * 1024


def _write(path: Path, rows: int) -> Path:
    with path.open("w") as out:
        for n in range(rows):
            out.write(
                f'{{"id":"arn:aws:ec2:eu-west-1:1:volume/vol-{n}","provider":"aws","type":"aws.ebs","name":"vol-{n}",'
                f'"location":"eu-west-1","tags":{{"owner":"ada","n":"{n}"}},'
                f'"properties":{{"VolumeId":"vol-{n}","Size":{n % 512},"Encrypted":{str(n % 3 == 0).lower()},'
                f'"State":"in-use","Attachments":[{{"InstanceId":"i-{n}","State":"attached"}}]}}}}\n'
            )
    return path


def _import(stack: Stack, slug: str, file: Path) -> tuple[dict[str, Any], int]:
    """What the command says, and the most memory that it had, in KiB."""
    command = [sys.executable, str(ROOT / "manage.py"), "inventory", "import", "--tenant", slug, "--json"]
    with (stack.var / "import.json").open("w+") as out:
        child = subprocess.Popen([*command, str(file)], env=stack.environment, cwd=ROOT, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        out.seek(0)
        return dict(json.load(out)), usage.ru_maxrss


def test_memory_stays_flat_and_a_second_import_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    for name in ("small", "large"):
        stack.manage("tenant", "create", name, "--slug", name, "--json")
    small, small_kib = _import(stack, "small", _write(tmp_path / "small.ndjson", SMALL))
    file = _write(tmp_path / "large.ndjson", LARGE)
    large, large_kib = _import(stack, "large", file)
    assert (small["written"], large["written"], large["refused"]) == (SMALL, LARGE, 0)
    assert large_kib - small_kib < ALLOWED_KIB, f"{small_kib} KiB, then {large_kib} KiB"
    marks = "SELECT max(changed_xid::text::bigint), max(updated_at) FROM resources"
    before = stack.query(marks)
    again, _ = _import(stack, "large", file)
    assert (again["read"], again["unchanged"], again["written"]) == (LARGE, LARGE, 0)
    assert stack.query(marks) == before
