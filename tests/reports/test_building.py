"""What a report tells, and that it tells the same whenever it is built."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import Audit
from apps.core.errors import InvalidInput, StaleState
from apps.core.ids import new_id
from apps.evidence.errors import ChecksumMismatch
from apps.evidence.store import read_artifact
from apps.findings.models import PolicyException
from apps.jobs.services import cancel_job
from apps.reports.models import Report
from apps.reports.services import report_download_url, request_report
from tests.reports.conftest import Estate

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
PERIOD = ("2025-03-01", "2025-03-31")


def bundle(estate: Estate, report: Report) -> dict[str, bytes]:
    with estate.scope(), read_artifact(report.object_key, report.version_id, report.sha256) as file:
        packed = zipfile.ZipFile(file)
        return {name: packed.read(name) for name in packed.namelist()}


def table(files: dict[str, bytes], path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files[path].decode(), newline="")))


def built(estate: Estate, first: str = PERIOD[0], last: str = PERIOD[1]) -> tuple[Report, dict[str, bytes]]:
    report = estate.run(estate.request(first, last))
    assert report.status == "succeeded", report.error
    return report, bundle(estate, report)


def test_violations_of_the_period_are_told_as_they_stood_at_its_end(estate: Estate) -> None:
    policy = estate.policy("has-owner")
    histories = {
        "open-all-along": [("opened", "2025-01-01Z")],
        "opened-within": [("opened", "2025-03-10Z")],
        "fixed-within": [("opened", "2025-02-01Z"), ("fixed", "2025-03-05Z")],
        "fixed-later": [("opened", "2025-02-01Z"), ("fixed", "2025-04-05Z")],
        "opened-and-fixed-within": [("opened", "2025-03-02Z"), ("fixed", "2025-03-03Z")],
        "excepted-throughout": [
            ("opened", "2025-01-01Z"),
            ("excepted", "2025-02-01Z"),
            ("unexcepted", "2025-05-01Z"),
        ],
        "reopened-within": [
            ("opened", "2025-01-01Z"),
            ("fixed", "2025-02-01Z"),
            ("reopened", "2025-03-31 23:59Z"),
        ],
        "removed-within": [("opened", "2025-01-01Z"), ("removed", "2025-03-09Z")],
        "fixed-before": [("opened", "2025-01-01Z"), ("fixed", "2025-02-28 23:59Z")],
        "removed-when-fixed": [
            ("opened", "2025-01-01Z"),
            ("fixed", "2025-02-01Z"),
            ("removed", "2025-03-01Z"),
        ],
        "opened-after": [("opened", "2025-04-01Z")],
    }
    for name, events in histories.items():
        estate.violation(policy, estate.resource(name), *events)
    _, files = built(estate)
    told = {row["resource_name"]: row["status"] for row in table(files, "violations.csv")}
    assert told == {
        "open-all-along": "open",
        "opened-within": "open",
        "fixed-within": "fixed",
        "fixed-later": "open",
        "opened-and-fixed-within": "fixed",
        "excepted-throughout": "excepted",
        "reopened-within": "open",
        "removed-within": "removed",
    }
    (counts,) = table(files, "policies.csv")
    assert [counts[f"violations_{s}"] for s in ("open", "excepted", "fixed", "removed")] == [
        "4",
        "1",
        "2",
        "1",
    ]
    summary = json.loads(files["summary.json"])["violations"]
    assert summary["as_of_cut"]["open"] == {"high": 4}
    assert summary["in_period"] == {"times_opened": 2, "times_reopened": 1, "times_fixed": 2}
    lines = [json.loads(line) for line in files["violations.jsonl"].splitlines()]
    assert {row["resource_name"]: row["status"] for row in lines} == told


def test_an_exception_that_ran_out_unswept_leaves_its_violation_open(estate: Estate) -> None:
    policy, resource, other = estate.policy("p"), estate.resource("covered"), estate.resource("still-covered")
    for target in (resource, other):
        estate.violation(policy, target, ("opened", "2025-01-01Z"), ("excepted", "2025-02-01Z"))
    for target, expires in ((resource, "2025-03-20Z"), (other, "2025-04-20Z")):
        add_exception(estate, policy, target, expires)
    _, files = built(estate)
    told = {
        row["resource_name"]: (row["status"], row["status_since"]) for row in table(files, "violations.csv")
    }
    assert told["covered"] == ("open", "2025-03-20T00:00:00.000000Z")
    assert told["still-covered"] == ("excepted", "2025-02-01T00:00:00.000000Z")
    exceptions = {row["resource_name"]: row for row in table(files, "exceptions.csv")}
    assert exceptions["covered"]["status"] == "expired"
    assert exceptions["covered"]["ended_at"] == "2025-03-20T00:00:00.000000Z"
    assert exceptions["still-covered"]["status"] == "approved"
    assert exceptions["still-covered"]["decided_by_upn"] == "approver@acme.example"
    assert exceptions["still-covered"]["requested_by_upn"] == "operator@acme.example"


def add_exception(estate: Estate, policy: str, resource: str, expires: str) -> None:
    estate.sql("ALTER TABLE exceptions DISABLE TRIGGER exceptions_guard", [])
    estate.sql(
        "INSERT INTO exceptions (id, tenant_id, policy_id, resource_id, reason, expires_at, created_by, decided_by,"
        " decided_at, status, created_at) VALUES (gen_random_uuid(), %s, %s, %s, '=1+1', %s, %s, %s, '2025-02-01Z',"
        " 'approved', '2025-01-15Z')",
        [
            estate.tenant_id, policy, resource, expires,
            estate.people["operator"].pk, estate.people["approver"].pk,
        ],
    )  # fmt: skip
    estate.sql("ALTER TABLE exceptions ENABLE TRIGGER exceptions_guard", [])


def moved(estate: Estate, target_type: str, target: object, state: str, day: str) -> None:
    """The audit row that core.states.transition() writes, with a time of its own."""
    estate.sql(
        "INSERT INTO audits (id, tenant_id, actor, action, target_type, target_id, payload, created_at)"
        " VALUES (%s, %s, 'system:test', 'x.y.moved', %s, %s, jsonb_build_object('to', %s::text), %s)",
        [new_id(), estate.tenant_id, target_type, str(target), state, day],
    )


def test_actions_are_told_with_the_status_that_the_trail_gives_at_the_cut(estate: Estate) -> None:
    histories = {
        "ended-before": ("2025-01-01Z", [("completed", "2025-02-01Z")]),
        "ended-within": ("2025-01-01Z", [("in_progress", "2025-02-01Z"), ("completed", "2025-03-02Z")]),
        "ended-after": ("2025-01-01Z", [("in_progress", "2025-02-01Z"), ("failed", "2025-04-02Z")]),
        "asked-within": ("2025-03-15Z", [("preflight", "2025-03-16Z")]),
        "asked-after": ("2025-04-01Z", []),
    }
    for name, (asked, moves) in histories.items():
        key = new_id()
        estate.sql(
            "INSERT INTO actions (id, tenant_id, type, status, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s)",
            [
                key,
                estate.tenant_id,
                name,
                moves[-1][0] if moves else "queued",
                asked,
                moves[-1][1] if moves else asked,
            ],
        )
        for state, day in moves:
            moved(estate, "actions.action", key, state, day)
    _, files = built(estate)
    assert {row["type"]: row["status"] for row in table(files, "actions.csv")} == {
        "ended-within": "completed",
        "ended-after": "in_progress",
        "asked-within": "preflight",
    }


def test_exceptions_outside_the_period_are_left_out_and_a_revoked_one_ended_when_the_trail_says(
    estate: Estate,
) -> None:
    policy = estate.policy("p")
    for name, expires in (
        ("over-before", "2025-02-20Z"),
        ("revoked", "2026-01-01Z"),
        ("running", "2026-01-01Z"),
    ):
        add_exception(estate, policy, estate.resource(name), expires)
    with estate.acting():
        revoked = PolicyException.objects.get(resource__name="revoked")
    moved(estate, "findings.policyexception", revoked.pk, "expired", "2025-03-07Z")
    _, files = built(estate)
    told = {row["resource_name"]: (row["status"], row["ended_at"]) for row in table(files, "exceptions.csv")}
    assert told == {"revoked": ("expired", "2025-03-07T00:00:00.000000Z"), "running": ("approved", "")}


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(estate: Estate) -> None:
    add_exception(estate, estate.policy("+p"), estate.resource("@r"), "2025-04-20Z")
    _, files = built(estate)
    (row,) = table(files, "exceptions.csv")
    assert (row["reason"], row["policy_name"], row["resource_name"]) == ("'=1+1", "'+p", "'@r")


def test_a_period_that_is_over_gives_the_same_bytes_again(estate: Estate) -> None:
    policy = estate.policy("p")
    for n in range(30):
        estate.violation(policy, estate.resource(f"r{n}"), ("opened", "2025-03-01Z"))
    first, _ = built(estate)
    estate.violation(policy, estate.resource("later"), ("opened", "2025-04-01Z"))
    second, _ = built(estate)
    assert first.pk != second.pk
    assert (first.sha256, first.size) == (second.sha256, second.size)


def test_a_repeated_attempt_stores_the_same_version_once(estate: Estate) -> None:
    """As after a worker's death between storing the bundle and recording it."""
    today = timezone.now().date().isoformat()
    policy = estate.policy("p")
    estate.violation(policy, estate.resource("r"), ("opened", "2025-03-01Z"))
    report = estate.request("2025-03-01", today)
    first = estate.run(report)
    estate.violation(policy, estate.resource("r2"), ("opened", timezone.now().isoformat()))
    estate.sql("UPDATE jobs SET status = 'queued', lease_token = NULL WHERE id = %s", [report.job_id])
    estate.sql("UPDATE reports SET status = 'running', version_id = '' WHERE id = %s", [report.pk])
    again = estate.run(report)
    assert again.status == "succeeded"
    assert (again.sha256, again.version_id) == (first.sha256, first.version_id)


def test_only_the_tenants_own_rows_are_told(estate: Estate, rival: Estate) -> None:
    rival.violation(rival.policy("theirs"), rival.resource("theirs"), ("opened", "2025-03-02Z"))
    report, files = built(estate)
    assert all(b"theirs" not in content for content in files.values())
    with rival.acting():
        assert not Report.objects.filter(pk=report.pk).exists()


def test_request_build_and_download_are_recorded(estate: Estate) -> None:
    report, _ = built(estate)
    with estate.scope("viewer"):
        assert "X-Amz-Signature" in report_download_url(report=report)
    with estate.acting():
        trail = Audit.objects.filter(target_type="reports.report", target_id=str(report.pk)).order_by("id")
        rows = {row.action: row for row in trail}
    assert list(rows) == [
        "reports.report.requested",
        "reports.report.running",
        "reports.report.manifest_written",
        "reports.report.succeeded",
        "reports.report.downloaded",
    ]
    viewer = f"user:{estate.people['viewer'].pk}"
    assert rows["reports.report.requested"].actor == rows["reports.report.downloaded"].actor == viewer
    assert rows["reports.report.succeeded"].payload["sha256"] == report.sha256
    assert report.requested_by_id == estate.people["viewer"].pk


def test_a_bundle_whose_bytes_changed_is_not_handed_out_and_that_is_recorded(estate: Estate) -> None:
    report, _ = built(estate)
    report.sha256 = "0" * 64
    with estate.scope("viewer"), pytest.raises(ChecksumMismatch):
        report_download_url(report=report)
    with estate.acting():
        actions = set(Audit.objects.values_list("action", flat=True))
    assert "reports.report.checksum_failed" in actions
    assert "reports.report.downloaded" not in actions


def test_a_cancelled_report_says_so_and_has_nothing_to_download(estate: Estate) -> None:
    report = estate.request(*PERIOD)
    with estate.acting():
        cancel_job(job_id=report.job_id)
        report.refresh_from_db()
    assert (report.status, report.error) == ("cancelled", "Cancelled before it began.")
    with estate.scope(), pytest.raises(StaleState):
        report_download_url(report=report)


def test_a_running_build_stops_when_asked(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.reports.content import Content

    report = estate.request(*PERIOD)
    write = Content._exceptions

    def cancelling(self: Content, section: object) -> int:
        with estate.acting():
            cancel_job(job_id=report.job_id)
        return write(self, section)  # type: ignore[arg-type]

    monkeypatch.setattr(Content, "_exceptions", cancelling)
    ended = estate.run(report)
    assert (ended.status, ended.error, ended.object_key) == ("cancelled", "Cancelled.", "")


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [(1, 0, "period_from"), (0, -1, "period_to"), (5000, 0, "period_from")],
)
def test_a_wrong_period_is_refused_by_field_and_leaves_nothing(
    estate: Estate, first: int, last: int, field: str
) -> None:
    today = timezone.now().date()
    begin, end = today - timedelta(days=first), today - timedelta(days=last)
    if (first, last) == (1, 0):
        begin, end = end, begin
    with estate.scope("viewer"), pytest.raises(InvalidInput) as refused:
        request_report(period_from=begin, period_to=end)
    assert refused.value.field == field
    with estate.acting():
        assert not Report.objects.exists()
