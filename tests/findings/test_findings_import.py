"""Findings of other tools: opened, closed and re-opened as their files say, never judged or closed by our scans."""

from __future__ import annotations

import gzip
import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.catalog.models import ImportRefusal, ImportRun, Policy, Resource
from apps.connectors.findings import read
from apps.connectors.records import Refusal
from apps.core.context import tenant_transaction
from apps.findings.models import Recommendation, Violation, ViolationEvent
from apps.findings.queries import counter_drift, violation_counts
from apps.findings.services.exceptions import approve_exception, request_exception
from apps.findings.services.findings_import import import_findings
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.estate import UNOWNED_BUCKETS, acting_as, bucket, import_policy, import_rows

pytestmark = pytest.mark.django_db
CORPUS = Path(os.environ.get("CORPORA_DIR", Path(__file__).parents[3] / "shared" / "corpora")) / "findings"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def event(number: int = 0, code: str = "FAIL", at: datetime = NOON, **changes: Any) -> dict[str, Any]:
    """An OCSF detection on bucket `number`, in Prowler's form."""
    return {
        "class_uid": 2004,
        "severity_id": 4,
        "status_id": 1,
        "status_code": code,
        "status_detail": f"Bucket {number} allows public reads.",
        "time_dt": at.isoformat(),
        "metadata": {"event_code": "s3_bucket_public_access", "product": {"name": "Prowler"}},
        "finding_info": {"uid": f"prowler-{number}", "title": "S3 buckets are not public"},
        "resources": [
            {"uid": f"arn:aws:s3:::bucket-{number}", "name": f"bucket-{number}", "type": "AwsS3Bucket"}
        ],
        "cloud": {"provider": "aws", "account": {"uid": "111122223333"}, "region": "eu-west-1"},
        "remediation": {"desc": "Block public access."},
        "unmapped": {"compliance": {"CIS-3.0": ["2.1.4"]}},
        **changes,
    }


def take(*events: dict[str, Any], format: str | None = None) -> ImportRun:
    return import_findings(source=io.BytesIO(json.dumps(events).encode()), name="out.json", format=format)


def scan(tenant: Tenant) -> None:
    with tenant_transaction(tenant.id):
        job = start_policy_scan(send=False)
    run_job(tenant.id, job.pk)
    job.refresh_from_db()
    assert job.status == "succeeded", job.error


def kinds() -> list[str]:
    return list(ViolationEvent.objects.order_by("id").values_list("kind", flat=True))


def test_a_finding_opens_a_violation_with_its_source_on_the_resource_that_the_inventory_knows(
    in_tenant: Tenant,
) -> None:
    import_rows([bucket(0)])
    run = take(event(0))
    violation = Violation.objects.select_related("policy", "resource").get()
    assert (run.rows_read, run.rows_written, run.rows_refused) == (1, 1, 0)
    assert run.summary["sources"] == ["prowler"]
    assert Resource.objects.count() == 1
    assert (violation.resource.name, violation.severity, violation.status) == ("bucket-0", "high", "open")
    assert (violation.source, violation.first_seen, violation.last_seen) == ("prowler", NOON, NOON)
    assert violation.reason == "Bucket 0 allows public reads."
    policy = violation.policy
    assert (policy.language, policy.status, policy.metadata["provider_id"]) == (
        "external", "external", "prowler/s3_bucket_public_access",
    )  # fmt: skip
    assert policy.metadata["controls"] == {"CIS-3.0": ["2.1.4"]}
    assert counter_drift() == []


def test_the_same_file_again_changes_nothing(in_tenant: Tenant) -> None:
    take(event(0), event(1))
    run = take(event(0), event(1))
    assert (run.rows_written, run.rows_unchanged) == (0, 2)
    assert kinds() == ["opened", "opened"]


def test_what_an_admin_has_set_on_the_policy_stays_when_the_tool_says_something_new(
    in_tenant: Tenant,
) -> None:
    take(event())
    policy = Policy.objects.get(language="external")
    override = {"type": "aws.tag", "params": {"tags": {"a": "b"}}}
    policy.metadata["action_override"] = override
    policy.save(update_fields=["metadata"])
    take(event(at=NOON + timedelta(days=1), remediation={"desc": "Block it by the account."}))
    policy.refresh_from_db()
    assert policy.metadata["action_override"] == override
    assert policy.metadata["remediation"] == "Block it by the account."


def test_a_pass_closes_and_a_later_failure_reopens_the_same_row(in_tenant: Tenant) -> None:
    take(event(0))
    before = Violation.objects.get()
    take(event(0, "PASS", NOON + timedelta(days=1)))
    assert Violation.objects.get().status == "fixed"
    run = take(event(0, at=NOON + timedelta(days=2)))
    after = Violation.objects.get()
    assert run.summary["reopened"] == 1
    assert (after.pk, after.first_seen, after.status, after.fixed_at) == (before.pk, NOON, "open", None)
    assert kinds() == ["opened", "fixed", "reopened"]
    assert {(c.severity, c.status): c.n for c in violation_counts()} == {("high", "open"): 1}


def test_an_older_file_changes_nothing(in_tenant: Tenant) -> None:
    take(event(0))
    take(event(0, "PASS", NOON - timedelta(days=1)))
    take(event(0, at=NOON - timedelta(days=2), status_detail="Older words."))
    violation = Violation.objects.get()
    assert (violation.status, violation.reason) == ("open", "Bucket 0 allows public reads.")


def test_the_youngest_of_one_file_counts_and_the_other_is_named(in_tenant: Tenant) -> None:
    run = take(event(0, "PASS", NOON + timedelta(hours=1)), event(0))
    assert Violation.objects.count() == 0
    assert [r.reason for r in ImportRefusal.objects.filter(run=run)] == ["superseded by line 1"]


def test_a_pass_about_what_nobody_knows_leaves_no_row(in_tenant: Tenant) -> None:
    run = take(event(7, "PASS"))
    assert (run.rows_unchanged, Resource.objects.count(), Policy.objects.count()) == (1, 0, 0)


def test_our_scans_neither_close_foreign_findings_nor_judge_what_only_another_tool_reported(
    in_tenant: Tenant,
) -> None:
    import_rows([bucket(0)])
    import_policy(UNOWNED_BUCKETS)
    take(event(0), event(9))
    reported = Resource.objects.get(native_id="arn:aws:s3:::bucket-9")
    assert (reported.status, reported.type, reported.account) == ("reported", "aws.s3", "111122223333")
    scan(in_tenant)
    assert set(Violation.objects.filter(source="prowler").values_list("status", flat=True)) == {"open"}
    assert set(Violation.objects.filter(source="policy").values_list("resource__name", flat=True)) == {
        "bucket-0"
    }


def test_a_resource_that_went_takes_its_foreign_findings_along(in_tenant: Tenant) -> None:
    take(event(9))
    Resource.objects.update(status="deleted")
    scan(in_tenant)
    assert Violation.objects.get().status == "fixed"


def test_an_exception_in_force_covers_what_is_opened_and_reopened(
    in_tenant: Tenant, users: dict[Role, User]
) -> None:
    take(event(0))
    violation = Violation.objects.get()
    with acting_as(users[Role.OPERATOR]):
        asked = request_exception(
            policy=violation.policy,
            resource=None,
            reason="public site",
            expires_at=datetime.now(UTC) + timedelta(days=5),
        )
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=asked)
    take(event(1))
    take(event(0, "PASS", NOON + timedelta(days=1)))
    take(event(0, at=NOON + timedelta(days=2)))
    assert set(Violation.objects.values_list("status", "exception_id")) == {("suppressed", asked.pk)}


def test_bad_rows_are_refused_by_line_and_field_and_the_others_land(in_tenant: Tenant) -> None:
    run = take(
        event(0),
        event(1, "MANUAL"),
        event(2, cloud={"provider": "kubernetes"}),
        event(3, resources=[]),
        event(4, class_uid=3001),
        event(5, severity_id="bad"),
        event(6, metadata={"event_code": "x"}),
    )
    fields = [r.field for r in ImportRefusal.objects.filter(run=run).order_by("id")]
    assert fields == [
        "status_code",
        "cloud.provider",
        "resources",
        "class_uid",
        "severity_id",
        "metadata.product",
    ]
    assert (run.rows_read, run.rows_written, run.rows_refused) == (7, 1, 6)


def test_a_finding_on_several_resources_is_one_for_each(in_tenant: Tenant) -> None:
    both = [{"uid": f"arn:aws:s3:::bucket-{n}", "type": "AwsS3Bucket"} for n in (1, 2)]
    take(event(0, resources=both))
    assert Violation.objects.count() == 2


def test_another_tenant_sees_nothing_of_it(in_tenant: Tenant, other_tenant: Tenant) -> None:
    take(event(0))
    with tenant_transaction(other_tenant.id):
        assert (
            not Violation.objects.exists() and not Policy.objects.exists() and not Resource.objects.exists()
        )


ASFF = {
    "SchemaVersion": "2018-10-08",
    "Id": "arn:aws:securityhub:eu-west-1:111122223333:security-control/EC2.8/finding/1",
    "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
    "ProductName": "Security Hub",
    "GeneratorId": "security-control/EC2.8",
    "AwsAccountId": "111122223333",
    "Title": "EC2 instances should use IMDSv2",
    "Description": "This control checks the metadata version.",
    "UpdatedAt": "2026-11-01T12:00:00Z",
    "Severity": {"Label": "HIGH", "Normalized": 70},
    "Resources": [{"Type": "AwsEc2Instance", "Id": "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"}],
    "Compliance": {"Status": "FAILED", "SecurityControlId": "EC2.8", "RelatedRequirements": ["NIST.800-53.r5 AC-3(15)"]},
    "Workflow": {"Status": "NEW"},
    "RecordState": "ACTIVE",
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"Findings": [ASFF]}),
        json.dumps([ASFF]),
        json.dumps(ASFF) + "\n",
        json.dumps({"Findings": [ASFF]}, indent=2),
    ],
    ids=["answer", "list", "lines", "indented"],
)
def test_security_hub_findings_in_each_of_their_files(in_tenant: Tenant, content: str) -> None:
    known = {
        "id": "i-0123456789abcdef0",
        "provider": "aws",
        "type": "aws.ec2",
        "name": "web",
        "properties": {"InstanceId": "i-0123456789abcdef0"},
    }
    import_rows([known])
    import_findings(source=io.BytesIO(gzip.compress(content.encode())), name="hub.json.gz")
    violation = Violation.objects.select_related("policy", "resource").get()
    assert (violation.source, violation.resource.name, violation.severity) == ("security-hub", "web", "high")
    assert violation.policy.metadata["controls"] == {"NIST.800-53.r5": ["AC-3(15)"]}


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"RecordState": "ARCHIVED"}, "pass"),
        ({"Workflow": {"Status": "RESOLVED"}}, "pass"),
        ({"Compliance": {"Status": "PASSED", "SecurityControlId": "EC2.8"}}, "pass"),
        ({"Compliance": {"Status": "WARNING", "SecurityControlId": "EC2.8"}}, "fail"),
        ({"Workflow": {"Status": "SUPPRESSED"}}, "fail"),
        ({"Compliance": {}}, "fail"),
    ],
)
def test_what_security_hub_holds_for_done_has_passed(change: dict[str, Any], outcome: str) -> None:
    (found,) = read(io.BytesIO(json.dumps([{**ASFF, **change}]).encode()))
    assert not isinstance(found, Refusal) and found.outcome == outcome


def sarif(*results: dict[str, Any], **driver: Any) -> io.BytesIO:
    rules = [
        {
            "id": "CKV_AWS_20",
            "shortDescription": {"text": "Bucket is public"},
            "properties": {"security-severity": "9.1"},
        }
    ]
    run = {"tool": {"driver": {"name": "Checkov", "rules": rules, **driver}}, "results": list(results)}
    return io.BytesIO(json.dumps({"version": "2.1.0", "runs": [run]}).encode())


def test_sarif_on_a_cloud_resource_is_a_violation_and_on_a_file_a_recommendation(in_tenant: Tenant) -> None:
    on_file = {
        "ruleId": "CKV_AWS_20", "message": {"text": "acl is public-read"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "infra/s3.tf"}, "region": {"startLine": 4}}}],
    }  # fmt: skip
    on_resource = {**on_file, "properties": {"resource": "arn:aws:s3:::bucket-0"}}
    for _ in range(2):
        run = import_findings(
            source=sarif(on_file, on_resource, {**on_file, "kind": "notApplicable"}), name="c.sarif"
        )
    recommendation, violation = Recommendation.objects.get(), Violation.objects.get()
    assert (recommendation.source, recommendation.rule, recommendation.severity) == (
        "checkov",
        "checkov/CKV_AWS_20",
        "critical",
    )
    assert "infra/s3.tf:4" in (recommendation.description or "")
    assert (violation.source, violation.severity) == ("checkov", "critical")
    assert (run.rows_written, run.rows_unchanged, run.rows_refused) == (0, 2, 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"hello",
        b'{"a": 1}',
        b'{"runs": 3}',
        b"[1]",
        b'[{"class_uid": 2004}',
        b"\xff\xfe[\x00]\x00",
    ],
)
def test_what_is_no_findings_file_is_refused_in_words(in_tenant: Tenant, raw: bytes) -> None:
    run = import_findings(source=io.BytesIO(raw), name="bad")
    assert run.rows_written == 0 and run.rows_refused >= 1
    assert all(r.reason for r in ImportRefusal.objects.filter(run=run))


@pytest.mark.skipif(not CORPUS.exists(), reason="the public corpora are not here")
@pytest.mark.parametrize("name", ["example_output_aws.ocsf.json", "example_output_azure.ocsf.json"])
def test_prowlers_own_output_lands_or_is_refused_row_by_row(in_tenant: Tenant, name: str) -> None:
    run = import_findings(source=CORPUS / name, name=name)
    given = json.loads((CORPUS / name).read_text())
    manual = sum(item["status_code"] == "MANUAL" for item in given)
    failed = sum(item["status_code"] == "FAIL" for item in given)
    assert run.rows_read == len(given)
    assert (run.rows_written, run.rows_refused) == (failed, manual)
    assert Violation.objects.filter(source="prowler", status="open").count() == failed
    again = import_findings(source=CORPUS / name, name=name)
    assert (again.rows_written, again.rows_unchanged) == (0, failed)
