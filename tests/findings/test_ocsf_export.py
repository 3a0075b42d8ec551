"""Violations as OCSF: each event passes the schema, and what was imported comes out again as what it was."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.audit.models import Audit
from apps.catalog.models import Resource
from apps.connectors.findings import read
from apps.connectors.findings.records import FindingRecord
from apps.core.context import tenant_transaction
from apps.findings.models import Violation
from apps.findings.services.exceptions import approve_exception, request_exception
from apps.findings.services.findings_import import import_findings
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import UNOWNED_BUCKETS, acting_as, bucket, import_policy, import_rows

from .test_findings_import import CORPUS, event, scan, take
from .test_security_scan import function
from .test_security_scan import scan as scan_security

ocsf = pytest.importorskip("ocsf_json_schema", reason="ocsf-json-schema is not installed")
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def validators() -> dict[Any, Any]:
    schema = ocsf.OcsfJsonSchemaEmbedded(ocsf.get_ocsf_schema(version="1.8.0"))
    return {
        (uid, *profiles): jsonschema.Draft202012Validator(schema.get_class_schema(name, profiles))
        for uid, name in ((2003, "compliance_finding"), (2004, "detection_finding"))
        for profiles in ([], ["cloud"])
    }


def exported(tenant: Tenant, path: Path, *args: str) -> list[dict[str, Any]]:
    call_command(
        "findings", "export", "--tenant", tenant.slug, "--out", str(path), *args, stdout=io.StringIO()
    )
    return [json.loads(line) for line in path.read_text().splitlines()]


def check(events: list[dict[str, Any]], validators: dict[Any, Any]) -> None:
    for one in events:
        validator = validators[one["class_uid"], *one["metadata"].get("profiles", [])]
        assert [error.message for error in validator.iter_errors(one)] == []


@pytest.fixture
def mixed(tenant: Tenant, users: dict[Role, User]) -> Tenant:
    """Violations of policies, of another tool and of the security scan: open, excepted, fixed, on something reported."""
    with tenant_transaction(tenant.id):
        import_rows([bucket(0), bucket(1), bucket(2), function(DB_PASSWORD="correct-horse-7")])
        import_policy(UNOWNED_BUCKETS)
        scan(tenant)
        scan_security(tenant)
        take(event(0), event(9))
        take(event(9, "PASS", event_time()))
        violation = Violation.objects.filter(source="policy").earliest("id")
    with acting_as(users[Role.OPERATOR]):
        asked = request_exception(
            reason="moves soon", policy=violation.policy, expires_at=timezone.now() + timedelta(days=9)
        )
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=asked)
    return tenant


def event_time() -> Any:
    from .test_findings_import import NOON

    return NOON + timedelta(days=1)


def test_every_kind_of_violation_passes_the_schema(
    mixed: Tenant, validators: dict[Any, Any], tmp_path: Path
) -> None:
    events = exported(mixed, tmp_path / "out.jsonl")
    with tenant_transaction(mixed.id):
        assert len(events) == Violation.objects.count()
    check(events, validators)
    kinds = {
        (e["class_uid"], e["metadata"]["product"]["name"], e["status_code"], e["status_id"]) for e in events
    }
    assert kinds == {
        (2003, "Governance desk", "FAIL", 3),
        (2004, "Governance desk", "FAIL", 1),
        (2004, "prowler", "FAIL", 1),
        (2004, "prowler", "PASS", 4),
    }
    assert all("exception_id" in e["unmapped"] for e in events if e["status_id"] == 3)


def test_a_violation_whose_resource_and_policy_are_gone_passes_the_schema(validators: dict[Any, Any]) -> None:
    from apps.findings.ocsf import finding_event

    now = timezone.now()
    gone = Violation(
        severity="low", reason="It was so.", first_seen=now, last_seen=now, status="open", source="policy"
    )
    check([finding_event(gone)], validators)


def test_the_page_and_the_api_export_what_is_filtered(
    mixed: Tenant, users: dict[Role, User], validators: dict[Any, Any]
) -> None:
    viewer = browser(users[Role.VIEWER])
    for address in (
        "/violations/?export=ocsf&source=prowler",
        "/api/v1/violations/export/ocsf/?source=prowler",
    ):
        answer = viewer.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/x-ndjson")
        assert answer["Content-Disposition"].endswith('.ocsf.jsonl"')
        events = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
        assert {e["metadata"]["product"]["name"] for e in events} == {"prowler"}
        assert len(events) == 2
        check(events, validators)
    assert viewer.get("/api/v1/violations/export/ocsf/?nothing=1").status_code == 400
    assert "export=ocsf" in viewer.get("/violations/").content.decode()
    with tenant_transaction(mixed.id):
        assert Audit.objects.filter(action="findings.violations.exported").count() == 2
        assert Audit.objects.filter(action="findings.violations.export_finished").count() == 2


def test_a_wrong_filter_is_named_and_leaves_no_file(mixed: Tenant, tmp_path: Path) -> None:
    for given, words in (("color=red", "color"), ("severity=mild", "severity"), ("severity", "NAME=VALUE")):
        with pytest.raises(CommandError, match=words):
            exported(mixed, tmp_path / "out.jsonl", "--filter", given)
    with pytest.raises(CommandError, match="no folder"):
        exported(mixed, tmp_path / "none" / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_what_was_imported_comes_out_as_what_it_was(
    tenant: Tenant, validators: dict[Any, Any], tmp_path: Path
) -> None:
    with tenant_transaction(tenant.id):
        take(event(0), event(1))
    _assert_round_trip(tenant, [event(0), event(1)], exported(tenant, tmp_path / "out.jsonl"), validators)


def _assert_round_trip(
    tenant: Tenant, given: list[dict[str, Any]], events: list[dict[str, Any]], validators: dict[Any, Any]
) -> None:
    """Each failure of the file is told by one event, as the same finding on the same resource."""
    check(events, validators)

    def told(listed: list[dict[str, Any]]) -> dict[tuple[str, str], FindingRecord]:
        records = [
            r for r in read(io.BytesIO(json.dumps(listed).encode()), "ocsf") if isinstance(r, FindingRecord)
        ]
        return {(r.source, r.check_id, r.resource_name): r for r in records if r.outcome == "fail"}  # type: ignore[misc]

    before, after = told(given), told(events)
    assert set(before) == set(after)
    for key, record in before.items():
        again = after[key]
        assert (again.severity, again.reason, again.title, again.provider, again.account, again.seen_at) == (
            record.severity, record.reason, record.title, record.provider, record.account, record.seen_at,
        )  # fmt: skip


def corpus_files() -> list[Path]:
    return sorted(path for path in CORPUS.rglob("*ocsf*.json*") if path.is_file()) if CORPUS.is_dir() else []


@pytest.mark.parametrize("path", corpus_files() or [None], ids=lambda p: p.name if p else "no corpus")
def test_a_corpus_file_imported_is_shown_on_its_resources_and_exported_validly(
    path: Path | None, tenant: Tenant, users: dict[Role, User], validators: dict[Any, Any], tmp_path: Path
) -> None:
    if path is None:
        pytest.skip("the corpus of findings is not here (CORPORA_DIR)")
    with tenant_transaction(tenant.id):
        import_findings(source=path, name=path.name, format="ocsf")
        standing = list(Violation.objects.select_related("resource", "policy").exclude(status="fixed"))
    events = exported(tenant, tmp_path / "out.jsonl")
    check(events, validators)
    assert len([e for e in events if e["status_code"] == "FAIL"]) == len(standing)
    viewer = browser(users[Role.VIEWER])
    for violation in standing[:5]:
        assert isinstance(violation.resource, Resource)
        html = viewer.get(f"/resources/{violation.resource_id}/").content.decode()
        assert str(violation.pk) in html
    # And what we have written, we read: nothing new.
    again = tmp_path / "out.jsonl"
    refused = [r for r in read(again, "ocsf") if not isinstance(r, FindingRecord)]
    assert refused == []
