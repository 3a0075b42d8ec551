"""What the bundle says in OSCAL and OCSF is accepted by their own tools, and by checks of ours for what those miss."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.catalog.services import import_policies
from apps.findings.models import Violation
from apps.findings.services.exceptions import approve_exception, reject_exception, request_exception
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.reports.sample import SIZE
from tests.fixtures.estate import bucket, import_rows
from tests.reports.conftest import Estate
from tests.reports.test_building import built

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
TERM = timezone.now() + timedelta(days=20)
METHODS = {"EXAMINE", "INTERVIEW", "TEST", "UNKNOWN"}


@pytest.fixture
def files(estate: Estate) -> dict[str, bytes]:
    """A bundle of an estate with failing, excepted and passing controls, and an exception of each kind."""
    listed = [
        {
            "name": name,
            "resource": "aws.s3",
            "metadata": {
                "severity": "high",
                "controls": {"nist-800-53-r5": controls, "own frame": ["OWN-1"]},
            },
            "filters": filters,
        }
        for name, controls, filters in (
            ("has-owner", ["AC-2(1)", "CM-8"], [{"tag:owner": "absent"}]),
            ("has-team", ["CM-9"], [{"tag:team": "present"}]),
        )
    ]
    with estate.acting():
        import_rows([bucket(n) for n in range(40)])
        import_policies(source=io.BytesIO(json.dumps({"policies": listed}).encode()), name="p.json")
        job = start_policy_scan(send=False)
    run_job(estate.tenant_id, job.pk)
    with estate.acting("operator"):
        found = list(Violation.objects.select_related("policy", "resource").order_by("id")[:3])
        asked = [
            request_exception(
                policy=v.policy, resource=v.resource, reason='<b>why</b> & "so"', expires_at=TERM
            )
            for v in found
        ]
    with estate.acting("approver"):
        approve_exception(exception=asked[0], reason="for now")
        reject_exception(exception=asked[1], reason="no")
        today = Violation.objects.order_by("-first_seen").values_list("first_seen", flat=True)[0].date()
    _, files = built(estate, str(today), str(today))
    return files


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from walk(part)
    elif isinstance(value, list):
        for part in value:
            yield from walk(part)


def oscal(files: dict[str, bytes], name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(files[f"oscal/{name}.json"])
    return document


@pytest.mark.parametrize(
    ("name", "module", "model"),
    [
        ("assessment-results", "assessment_results", "AssessmentResults"),
        ("poam", "poam", "PlanOfActionAndMilestones"),
    ],
)
def test_trestle_accepts_the_document(files: dict[str, bytes], name: str, module: str, model: str) -> None:
    oscal_module = pytest.importorskip(
        f"trestle.oscal.{module}", reason="compliance-trestle is not installed"
    )
    (body,) = oscal(files, name).values()
    getattr(oscal_module, model).model_validate(body)


@pytest.mark.parametrize("name", ["assessment-results", "poam"])
def test_what_trestle_lets_pass_is_right_too(files: dict[str, bytes], name: str) -> None:
    document = oscal(files, name)
    parts = list(walk(document))
    defined = [part["uuid"] for part in parts if "uuid" in part]
    assert all(uuid.UUID(value).version == 5 for value in defined)
    referred = {v for part in parts for k, v in part.items() if k.endswith("-uuid")}
    assert referred <= set(defined)
    anchors = {v[1:] for part in parts for k, v in part.items() if k == "href" and v.startswith("#")}
    assert anchors <= set(defined)
    assert {m for part in parts for m in part.get("methods", ())} <= METHODS
    assert not [part for part in parts if any(value in ([], {}, "") for value in part.values())]
    for part in parts:
        for entry in part.get("hashes", ()):
            assert entry["algorithm"] == "SHA-256"
            assert entry["value"] == hashlib.sha256(files[part["href"].removeprefix("../")]).hexdigest()
        for key in ("start", "end", "collected", "deadline", "last-modified"):
            if key in part:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", part[key]), (key, part[key])


def test_findings_say_what_the_controls_are(files: dict[str, bytes]) -> None:
    (body,) = oscal(files, "assessment-results").values()
    nist = next(r for r in body["results"] if r["title"].startswith("NIST"))
    states = {f["target"]["target-id"]: f["target"]["status"]["state"] for f in nist["findings"]}
    assert states == {"ac-2.1": "not-satisfied", "cm-8": "not-satisfied", "cm-9": "satisfied"}
    assert {
        c["control-id"] for c in nist["reviewed-controls"]["control-selections"][0]["include-controls"]
    } == set(states)
    statuses = sorted(risk["status"] for risk in nist["risks"])
    assert statuses == ["deviation-approved", "deviation-requested", "open"]
    kinds = {e["props"][0]["value"] for risk in nist["risks"] for e in risk["risk-log"]["entries"]}
    assert kinds == {"dr-submission", "dr-approved", "dr-rejected"}


def test_every_event_passes_the_schema_of_ocsf(files: dict[str, bytes]) -> None:
    ocsf = pytest.importorskip("ocsf_json_schema", reason="ocsf-json-schema is not installed")
    jsonschema = pytest.importorskip("jsonschema")
    schema = ocsf.OcsfJsonSchemaEmbedded(ocsf.get_ocsf_schema(version="1.8.0"))
    validator = jsonschema.Draft202012Validator(schema.get_class_schema("compliance_finding", ["cloud"]))
    events = [json.loads(line) for line in files["ocsf/compliance_finding.jsonl"].splitlines()]
    assert len(events) == 20
    for event in events:
        assert list(validator.iter_errors(event)) == []
    excepted = [e for e in events if e["status_id"] == 3]
    assert [(e["compliance"]["status_id"], "exception_id" in e["unmapped"]) for e in excepted] == [(3, True)]


def test_controls_are_told_with_their_population(files: dict[str, bytes]) -> None:
    rows = {r["control"]: r for r in csv.DictReader(io.StringIO(files["controls.csv"].decode(), newline=""))}
    assert {k: rows["cm-8"][k] for k in ("state", "resources_assessed", "checks", "failing", "excepted")} == {
        "state": "not_satisfied", "resources_assessed": "40", "checks": "40", "failing": "19", "excepted": "1",
    }  # fmt: skip
    assert rows["cm-9"]["state"] == "satisfied"
    assert (rows["ac-1"]["state"], rows["ac-1"]["reason"]) == ("not_assessed", "no policy serves it")


def test_the_sample_is_the_one_that_the_seed_draws(files: dict[str, bytes]) -> None:
    seed = json.loads(files["manifest.json"])["sample_seed"]
    keys = [json.loads(line)["violation_id"] for line in files["violations.jsonl"].splitlines()]
    drawn = sorted(keys, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())[:SIZE]
    shown = [r["violation_id"] for r in csv.DictReader(io.StringIO(files["sample.csv"].decode(), newline=""))]
    assert shown == drawn


def test_the_documents_carry_text_as_text(files: dict[str, bytes]) -> None:
    page = files["report.html"].decode()
    assert "&lt;b&gt;why&lt;/b&gt;" in page and "<b>why" not in page
    assert files["report.pdf"].startswith(b"%PDF-1.7") and b"pdfaid:part" in files["report.pdf"]
