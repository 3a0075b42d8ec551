"""The manifest's hash stands in the sealed trail, and verify.py shows it by the public key alone."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone

from apps.audit.keys import Signer
from apps.audit.services import record
from apps.evidence.store import read_artifact
from tests.audit.conftest import bucket, seal, signers  # noqa: F401  (fixtures)
from tests.reports.conftest import Estate, remanifest

# Slow is run by one worker: the sealer waits for older transactions of the whole server, a neighbour's tests' too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]


def verify(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-I", "verify.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={})
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def sealed(estate: Estate, seal: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """An unpacked bundle of a tenant whose trail is being sealed."""
    estate.violation(estate.policy("p"), estate.resource("r"), ("opened", "2025-03-01Z"))
    seal()
    monkeypatch.setattr("apps.reports.receipt.sleep", lambda seconds: seal())
    report = estate.run(estate.request("2025-03-01", "2025-03-31"))
    assert report.status == "succeeded", report.error
    folder = tmp_path / "bundle"
    with estate.scope(), read_artifact(report.object_key, report.version_id, report.sha256) as packed:
        zipfile.ZipFile(packed).extractall(folder)
    return folder


def test_the_public_key_alone_shows_that_the_manifest_was_sealed(sealed: Path, signers: list[Signer]) -> None:  # noqa: F811
    code, said = verify(sealed, "--public-key", str(signers[0].verifier))
    assert code == 0, said
    assert f"that {signers[0].name} has signed" in said
    code, said = verify(sealed)
    assert code == 0 and "give --public-key" in said
    assert not list(sealed.glob("__pycache__"))


def test_another_key_a_changed_manifest_and_a_changed_receipt_are_named(
    sealed: Path,
    signers: list[Signer],  # noqa: F811
) -> None:
    key = str(signers[0].verifier)
    other = Signer("other", Ed25519PrivateKey.generate())
    code, said = verify(sealed, "--public-key", str(other.verifier))
    assert code == 1 and "WRONG  checkpoint.txt: is not signed by other" in said
    manifest = sealed / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"generated_for"', '"generated_For"'))
    code, said = verify(sealed, "--public-key", key)
    assert code == 1 and "WRONG  manifest.json: is not the one whose hash" in said
    manifest.write_text(text)
    receipt = sealed / "receipt.json"
    told = json.loads(receipt.read_text())
    receipt.write_text(json.dumps({**told, "index": told["index"] + 1}))
    code, said = verify(sealed, "--public-key", key)
    assert code == 1 and "WRONG  receipt.json" in said
    receipt.unlink()
    code, said = verify(sealed, "--public-key", key)
    assert code == 1 and "WRONG  receipt.json: is missing" in said


def test_a_bundle_that_was_not_sealed_says_so(estate: Estate, tmp_path: Path, signers: list[Signer]) -> None:  # noqa: F811
    report = estate.run(estate.request("2025-03-01", "2025-03-31"))
    with estate.scope(), read_artifact(report.object_key, report.version_id, report.sha256) as packed:
        zipfile.ZipFile(packed).extractall(tmp_path / "bundle")
    folder = tmp_path / "bundle"
    assert not (folder / "receipt.json").exists()
    code, said = verify(folder)
    assert code == 0 and "nothing here can vouch for the manifest itself" in said
    assert verify(folder, "--public-key", str(signers[0].verifier))[0] == 1


@pytest.fixture
def placed(estate: Estate, seal: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """An unpacked bundle whose period has audit rows, with rows of other days before, between and after them."""
    for number in range(12):
        with estate.acting("operator"):
            row = record("test.thing.done", ("thing", str(number)), {"n": number})
        if number in (0, 4, 5, 11):  # of another day, by the owner's hand before it is sealed
            estate.sql("UPDATE audits SET created_at = '2020-01-01Z' WHERE id = %s", [row.pk])
            estate.sql(
                "UPDATE audits SET canonical = audit_canonical(id, tenant_id, created_at, actor, action, target_type,"
                " target_id, payload), leaf = sha256('\\x00'::bytea || audit_canonical(id, tenant_id, created_at, actor,"
                " action, target_type, target_id, payload)) WHERE id = %s",
                [row.pk],
            )
        if number % 5 == 0:
            seal()
    monkeypatch.setattr("apps.reports.receipt.sleep", lambda seconds: seal())
    today = timezone.now().date().isoformat()
    report = estate.run(estate.request("2025-03-01", today))
    assert report.status == "succeeded", report.error
    folder = tmp_path / "bundle"
    with estate.scope(), read_artifact(report.object_key, report.version_id, report.sha256) as packed:
        zipfile.ZipFile(packed).extractall(folder)
    return folder


def test_every_audit_row_leads_to_the_signed_root(placed: Path, signers: list[Signer]) -> None:  # noqa: F811
    code, said = verify(placed, "--public-key", str(signers[0].verifier))
    assert code == 0, said
    rows = len((placed / "audit" / "leaves.jsonl").read_text().splitlines())
    assert f"The {rows} audit rows are rows " in said
    assert "and 3 of other days between them" in said


@pytest.mark.parametrize(
    "what", ["row left out", "row added", "place moved", "hash between", "root around", "file"]
)
def test_what_does_not_lead_there_is_named(placed: Path, what: str) -> None:
    leaves, places = placed / "audit" / "leaves.jsonl", placed / "places.json"
    lines, told = leaves.read_text().splitlines(keepends=True), json.loads(places.read_text())
    if what == "row left out":
        lines.pop(3)
        told["places"].pop(3)
    elif what == "row added":
        lines.append(lines[-1])
        told["places"].append(told["places"][-1] + 1)
    elif what == "place moved":
        told["places"][0], told["places"][1] = told["places"][1], told["places"][0]
    elif what == "hash between":
        told["between"] = dict.fromkeys(told["between"], "00" * 32)
    elif what == "root around":
        told["around"] = told["around"][:-1]
    leaves.write_text("".join(lines))
    places.write_text(json.dumps(told))
    if what == "file":
        places.unlink()
    remanifest(placed)
    code, said = verify(placed)
    assert code == 1
    assert "WRONG  places.json: " in said
