"""`manage.py report build`: the ZIP at its path, or a named error and nothing there."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.jobs.models import Job
from apps.reports.models import Report
from tests.reports.conftest import Estate

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def build(estate: Estate, *more: str) -> dict[str, Any]:
    out = io.StringIO()
    arguments = ["--tenant", str(estate.tenant_id), "--from", "2025-03-01", "--to", "2025-03-31", "--json"]
    call_command("report", "build", *arguments, *more, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def reports(estate: Estate) -> list[Report]:
    with estate.acting():
        return list(Report.objects.all())


def test_the_bundle_lies_at_its_path_and_is_the_stored_one(estate: Estate, tmp_path: Path) -> None:
    target = tmp_path / "report.zip"
    answer = build(estate, "--out", str(target))
    assert answer["status"] == "succeeded"
    assert hashlib.sha256(target.read_bytes()).hexdigest() == answer["sha256"]
    assert "manifest.json" in zipfile.ZipFile(target).namelist()
    assert [p.name for p in tmp_path.iterdir()] == ["report.zip"]
    (report,) = reports(estate)
    assert (report.sha256, str(report.pk)) == (answer["sha256"], answer["report"])


def test_a_file_that_is_there_is_overwritten_only_when_told(estate: Estate, tmp_path: Path) -> None:
    target = tmp_path / "report.zip"
    target.write_text("precious")
    with pytest.raises(SystemExit):
        build(estate, "--out", str(target))
    assert target.read_text() == "precious"
    assert reports(estate) == []
    build(estate, "--out", str(target), "--force")
    assert zipfile.is_zipfile(target)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--from", "2025-02-30", "--to", "2025-03-01", "--out", "x.zip"], "--from: '2025-02-30' is no day"),
        (["--from", "2025-03-01", "--to", "soon", "--out", "x.zip"], "--to: 'soon' is no day"),
        (["--from", "2025-03-02", "--to", "2025-03-01", "--out", "x.zip"], "--from: The period begins"),
        (["--from", "2025-03-02", "--to", "2999-03-01", "--out", "x.zip"], "--to: The period ends"),
        (["--from", "2025-03-01", "--to", "2025-03-01"], "--out: say where"),
        (
            ["--from", "2025-03-01", "--to", "2025-03-01", "--out", "no/such/x.zip"],
            "--out: there is no folder no/such",
        ),
        (["--from", "2025-03-01", "--to", "2025-03-01", "--out", "."], "--out: . is a folder"),
        (
            ["--from", "2025-03-01", "--to", "2025-03-01", "--out", "x.zip", "--queue"],
            "--out: a queued report",
        ),
    ],
)
def test_wrong_input_is_named_and_nothing_is_asked_for(
    estate: Estate, arguments: list[str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError) as refused:
        call_command("report", "build", "--tenant", str(estate.tenant_id), *arguments)
    assert str(refused.value).startswith(named)
    assert list(tmp_path.iterdir()) == []
    assert reports(estate) == []


def test_queue_only_enqueues(estate: Estate) -> None:
    answer = build(estate, "--queue")
    assert answer["status"] == "queued"
    with estate.acting():
        assert Job.objects.get(pk=answer["job"]).sent_at is not None


def test_a_store_that_is_away_is_said_and_leaves_a_failed_report_and_no_file(
    estate: Estate, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.EVIDENCE = {**settings.EVIDENCE, "endpoint": "http://127.0.0.1:9"}
    out = io.StringIO()
    arguments = ["--tenant", str(estate.tenant_id), "--from", "2025-03-01", "--to", "2025-03-31"]
    with pytest.raises(SystemExit) as ended:
        call_command("report", "build", *arguments, "--out", str(tmp_path / "r.zip"), "--json", stdout=out)
    assert ended.value.code == 1
    assert "The object store did not answer" in json.loads(out.getvalue())["error"]
    assert list(tmp_path.iterdir()) == []
    (report,) = reports(estate)
    assert report.status == "failed"
    with estate.acting():
        assert Job.objects.get(pk=report.job_id).status == "failed"
