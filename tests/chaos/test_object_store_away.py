"""`kill -9` of the object store under an import and under a report: both end once, when it is back."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from tests.chaos.conftest import Estate
from tests.chaos.stack import Stack

pytestmark = pytest.mark.slow

ROWS = 20_000
LIMIT = 240.0  # seconds; on a slow machine the store is back after an attempt or two, whose pauses grow to a minute


def _wait_for_job(stack: Stack, job_id: str, condition: str) -> str:
    """Until the job's row meets the SQL condition, before it ends otherwise; its error then."""
    seen = [""]
    with psycopg.connect(stack.environment["DATABASE_OWNER_URL"], autocommit=True) as watcher:

        def met() -> bool:
            row = watcher.execute(
                f"SELECT {condition}, status, error FROM jobs WHERE id = %s".encode(), [job_id]
            )
            ((holds, status, seen[0]),) = row.fetchall()
            assert holds or status in ("queued", "running"), stack.said()
            return bool(holds)

        stack.wait_for(met, LIMIT)
    return seen[0]


def _disturb(acme: Estate, job_id: str, moment: str) -> dict[str, Any]:
    """Kill the store at `moment`, bring it back when the job has noticed, and give the ended job."""
    acme.stack.start("worker", "beat")
    _wait_for_job(acme.stack, job_id, moment)
    acme.stack.kill("s3")
    assert "object store" in _wait_for_job(acme.stack, job_id, "status = 'queued' AND attempts >= 1")
    acme.stack.start_again("s3")
    _wait_for_job(acme.stack, job_id, "status = 'succeeded'")
    return acme.job(job_id)


def test_an_import_reads_its_staged_file_again(acme: Estate, tmp_path: Path) -> None:
    file = tmp_path / "many.ndjson"
    with file.open("w") as out:
        for number in range(ROWS):
            row = {"id": f"arn:aws:s3:::many-{number}", "provider": "aws", "type": "aws.s3"}
            row |= {"name": f"many-{number}", "location": "eu-west-1"}
            out.write(json.dumps(row | {"properties": {"Padding": f"{number:01200}"}}) + "\n")
    acme.stack.manage("tenant", "create", "Many", "--slug", "many", "--json")
    queued = acme.stack.manage("inventory", "import", "--tenant", "many", "--queue", "--json", str(file))
    job = _disturb(acme, queued["job"], "progress_done >= 5000")
    assert (job["result"]["read"], job["result"]["refused"]) == (ROWS, 0)
    runs = acme.stack.query("SELECT status FROM import_runs WHERE job_id = %s ORDER BY status", [job["id"]])
    # How many find the store still away is the machine's affair.
    assert job["attempts"] > 1
    assert runs == [("failed",)] * (job["attempts"] - 1) + [("succeeded",)]
    (counted,) = acme.stack.query(
        "SELECT count(*) FROM resources WHERE native_id LIKE 'arn:aws:s3:::many-%%'", []
    )
    assert counted == (ROWS,)


def test_a_report_is_stored_once(acme: Estate) -> None:
    today = datetime.now(UTC).date().isoformat()
    words = ("--tenant", "acme", "--from", today, "--to", today, "--queue", "--json")
    queued = acme.stack.manage("report", "build", *words)
    job = _disturb(acme, queued["job"], "status = 'running'")
    artifact = job["result"]["artifact"]
    at = acme.stack.environment
    store = boto3.client(
        "s3",
        endpoint_url=at["EVIDENCE_S3_ENDPOINT"],
        aws_access_key_id=at["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=at["AWS_SECRET_ACCESS_KEY"],
        region_name=at["AWS_DEFAULT_REGION"],
    )
    versions = store.list_object_versions(Bucket=at["EVIDENCE_BUCKET"], Prefix=artifact["path"])["Versions"]
    assert [version["VersionId"] for version in versions] == [artifact["version_id"]]
    body = store.get_object(Bucket=at["EVIDENCE_BUCKET"], Key=artifact["path"])["Body"].read()
    assert hashlib.sha256(body).hexdigest() == artifact["sha256"]
    rows = acme.stack.query("SELECT status, sha256 FROM reports WHERE id = %s", [queued["report"]])
    assert rows == [("succeeded", artifact["sha256"])]
