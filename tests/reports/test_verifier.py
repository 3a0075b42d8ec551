"""verify.py alone, in an empty folder, by the oldest Python it claims to work with where that is here."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from apps.audit.services import record
from apps.evidence.store import read_artifact
from tests.reports.conftest import Estate, remanifest

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def interpreters() -> list[str]:
    """This Python, and the oldest that verify.py works with: `OLDEST_PYTHON` or python3.9, where one runs."""
    oldest = os.environ.get("OLDEST_PYTHON") or shutil.which("python3.9")
    if oldest is None or subprocess.run([oldest, "-c", ""], capture_output=True, check=False).returncode:
        return [sys.executable]
    return [sys.executable, oldest]


def verify(folder: Path, python: str = sys.executable) -> tuple[int, str]:
    done = subprocess.run(
        [python, "-I", "verify.py"], cwd=folder, capture_output=True, text=True, check=False, env={}
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def unpacked(estate: Estate, tmp_path: Path) -> Path:
    estate.violation(estate.policy("p"), estate.resource("=r"), ("opened", "2025-03-01Z"))
    with estate.acting("operator"):
        for payload in (
            {"n": 1.10, "big": 12345678901234567890.125},
            {"text": 'quote " \\ and\nline \u00e9 \U0001f600'},
            {},
        ):
            record("test.thing.done", ("=type", "@id"), payload)
        record("test.nothing.done")
    report = estate.run(estate.request("2025-03-01", timezone.now().date().isoformat()))
    assert report.status == "succeeded", report.error
    with estate.scope(), read_artifact(report.object_key, report.version_id, report.sha256) as bundle:
        zipfile.ZipFile(bundle).extractall(tmp_path)
    manifest = (tmp_path / "manifest.json").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == report.manifest["manifest_sha256"]
    return tmp_path


def test_an_untouched_bundle_verifies(unpacked: Path) -> None:
    for python in interpreters():
        code, said = verify(unpacked, python)
        assert code == 0, said
        rows = (unpacked / "audit" / "leaves.jsonl").read_bytes().count(b"\n")
        assert rows >= 7
        assert f"and {rows} audit rows are as they were written" in said
        assert hashlib.sha256((unpacked / "manifest.json").read_bytes()).hexdigest() in said
    assert not (unpacked / "__pycache__").exists()


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "path",
    ["violations.csv", "violations.jsonl", "audit.csv", "audit/leaves.jsonl", "summary.json", "README.txt"],
)
def test_a_flipped_byte_names_its_file(unpacked: Path, path: str) -> None:
    flip(unpacked / path)
    code, said = verify(unpacked)
    assert code == 1
    assert re.search(rf"^WRONG  {re.escape(path)}: was changed", said, re.M)
    assert said.count("WRONG") == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: (f / "actions.csv").unlink(), "actions.csv: is in the manifest and missing here"),
        (lambda f: (f / "more.csv").write_text("x"), "more.csv: is here and not in the manifest"),
        (lambda f: (f / "audit" / "x").write_text(""), "audit/x: is here and not in the manifest"),
        (lambda f: (f / "link").symlink_to("/etc/hostname"), "link: is a link"),
        (lambda f: (f / "audit.csv").open("a").write("x"), "audit.csv: has "),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json: can't be read"),
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json: is not JSON"),
        (lambda f: (f / "manifest.json").write_text("[]"), "manifest.json: is not the manifest"),
    ],
)
def test_a_missing_an_extra_or_a_longer_file_is_named(
    unpacked: Path, change: Callable[[Path], object], named: str
) -> None:
    change(unpacked)
    code, said = verify(unpacked)
    assert code == 1
    assert f"WRONG  {named}" in said


def rewrite(folder: Path, path: str, change: Callable[[str], str]) -> None:
    """Change a file and, as somebody who knows would, the manifest along with it."""
    (folder / path).write_text(change((folder / path).read_text("utf-8")), "utf-8")
    remanifest(folder)


def on_row(change: Callable[[dict], None]) -> Callable[[str], str]:  # type: ignore[type-arg]
    def apply(text: str) -> str:
        lines = text.splitlines(keepends=False)
        row = json.loads(lines[1])
        change(row)
        return "\n".join([lines[0], json.dumps(row), *lines[2:]]) + "\n"

    return apply


def other_bytes(row: dict) -> None:  # type: ignore[type-arg]
    raw = bytearray(base64.b64decode(row["canonical"]))
    raw[-3] ^= 1
    row["canonical"] = base64.b64encode(raw).decode()


def short_bytes(row: dict) -> None:  # type: ignore[type-arg]
    raw = base64.b64decode(row["canonical"])[:-2]
    row |= {"canonical": base64.b64encode(raw).decode(), "leaf": hashlib.sha256(b"\0" + raw).hexdigest()}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda row: row.update(actor="user:somebody-else"), "actor is shown as 'user:somebody-else'"),
        (lambda row: row.update(payload={}), "payload is shown as"),
        (lambda row: row.update(created_at="2020-01-01T00:00:00.000000Z"), "created_at is shown as"),
        (lambda row: row.update(leaf="00" * 32), "its leaf is not the hash of its canonical bytes"),
        (lambda row: row.pop("canonical"), "is no audit row"),
        (other_bytes, "its leaf is not the hash of its canonical bytes"),
        (short_bytes, "its canonical bytes can't be read"),
    ],
)
def test_a_changed_audit_row_is_named_although_the_manifest_was_changed_too(
    unpacked: Path,
    change: Callable[[dict], None],
    named: str,  # type: ignore[type-arg]
) -> None:
    rewrite(unpacked, "audit/leaves.jsonl", on_row(change))
    code, said = verify(unpacked)
    assert code == 1
    assert re.search(rf"^WRONG  audit/leaves.jsonl line 2.*{re.escape(named)}", said, re.M), said


def test_the_table_of_audit_rows_must_agree_with_the_leaves(unpacked: Path) -> None:
    rewrite(unpacked, "audit.csv", lambda text: text.replace("test.thing.done", "test.thing.undone", 1))
    code, said = verify(unpacked)
    assert code == 1
    assert "action is 'test.thing.undone', audit/leaves.jsonl has 'test.thing.done'" in said


def test_a_row_of_another_tenant_is_named(unpacked: Path) -> None:
    manifest = json.loads((unpacked / "manifest.json").read_text())
    manifest["tenant"]["id"] = "00000000-0000-0000-0000-000000000000"
    (unpacked / "manifest.json").write_text(json.dumps(manifest))
    code, said = verify(unpacked)
    assert code == 1
    assert "belongs to tenant" in said
