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

from apps.audit.keys import Signer
from apps.evidence.store import read_artifact
from tests.audit.conftest import bucket, seal, signers  # noqa: F401  (fixtures)
from tests.reports.conftest import Estate

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
