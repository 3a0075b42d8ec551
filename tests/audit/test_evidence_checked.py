"""`audit verify` beyond the trail: artifacts that were swapped or went, manifests that were edited."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from apps.actions.models import Action
from apps.actions.services.ending import cancel_action
from apps.audit.services import record
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.evidence.client import store_client
from apps.evidence.keys import evidence_key
from apps.evidence.options import options
from apps.evidence.store import put_artifact
from apps.findings.models import PolicyException
from apps.reports.models import Report
from tests.audit.conftest import codes, make_tenant, owner, verify

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]
JSON = "application/json"


def artifact(tenant_id: uuid.UUID, owner_id: uuid.UUID, name: str) -> dict[str, Any]:
    with tenant_scope(tenant_id, Actor.system("test")):
        kept = put_artifact(evidence_key(owner_id, name), io.BytesIO(name.encode()), JSON)
    return {"name": name, **kept.as_manifest()}


@pytest.fixture
def action(seal: Callable[[], Any]) -> Action:
    """One that has ended with two artifacts, sealed."""
    tenant_id = make_tenant("one")
    with tenant_transaction(tenant_id, Actor.system("test")):
        made = Action.objects.create(type="tag", status="preflight", params={})
    entries = [artifact(tenant_id, made.pk, name) for name in ("live.json", "plan.json")]
    with tenant_transaction(tenant_id, Actor.system("test")):
        Action.objects.filter(pk=made.pk).update(result={"manifest": entries})
        cancel_action(action=Action.objects.get(pk=made.pk), reason="enough")
    seal()
    code, said = verify()
    assert (code, said["problems"]) == (0, [])
    return made


def manifest(action: Action, entries: list[dict[str, Any]]) -> None:
    owner(
        "UPDATE actions SET result = jsonb_set(result, '{manifest}', %s::jsonb) WHERE id = %s",
        json.dumps(entries),
        action.pk,
    )


def entries_of(action: Action) -> list[dict[str, Any]]:
    ((text,),) = owner("SELECT (result -> 'manifest')::text FROM actions WHERE id = %s", action.pk)
    return list(json.loads(text))


def problems() -> list[dict[str, Any]]:
    code, said = verify()
    assert code == 1
    return list(said["problems"])


def test_a_manifest_edited(action: Action) -> None:
    manifest(action, entries_of(action)[:1])
    (problem,) = problems()
    assert (problem["code"], problem["where"]) == ("manifest-edited", f"the action {action.pk}")


def test_a_manifest_edited_with_the_status_beside_it(action: Action) -> None:
    owner("ALTER TABLE actions DISABLE TRIGGER USER")
    try:
        owner("UPDATE actions SET status = 'preflight' WHERE id = %s", action.pk)
        manifest(action, entries_of(action)[:1])
    finally:
        owner("ALTER TABLE actions ENABLE TRIGGER USER")
    (problem,) = problems()
    assert (problem["code"], problem["where"]) == ("manifest-edited", f"the action {action.pk}")


def test_an_artifact_swapped_for_another_and_its_hash_left(action: Action) -> None:
    """Another object of the tenant stands where the evidence stood."""
    first, second = entries_of(action)
    manifest(action, [{**first, "path": second["path"], "version_id": second["version_id"]}, second])
    found = problems()
    assert {p["code"] for p in found} == {"manifest-edited", "artifact-swapped"}
    assert f"the action {action.pk}, live.json" in {p["where"] for p in found}


def test_an_artifact_that_went_from_the_store(action: Action) -> None:
    from apps.evidence.client import store_client
    from apps.evidence.options import options

    first = entries_of(action)[0]
    store_client().delete_object(Bucket=options().bucket, Key=first["path"], VersionId=first["version_id"])
    (problem,) = problems()
    assert (problem["code"], problem["where"]) == ("artifact-missing", f"the action {action.pk}, live.json")


def test_a_reports_row_that_points_elsewhere(
    seal: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.core.states import transition
    from apps.reports.states import REPORT_MACHINE

    tenant_id = make_tenant("one")
    with tenant_transaction(tenant_id, Actor.system("test")):
        report = Report.objects.create(period_from="2026-01-01", period_to="2026-03-31", status="running")
    bundle, other = (artifact(tenant_id, report.pk, name) for name in ("bundle.zip", "other.zip"))
    with tenant_transaction(tenant_id, Actor.system("test")):
        said = {name: bundle[name] for name in ("path", "version_id", "sha256", "size")}
        transition(
            REPORT_MACHINE,
            Report.objects.get(pk=report.pk),
            "succeeded",
            changes={
                "object_key": bundle["path"],
                "version_id": bundle["version_id"],
                "sha256": bundle["sha256"],
                "manifest": {"manifest_sha256": "m"},
            },
            payload={**said, "manifest_sha256": "m"},
        )
    seal()
    assert verify()[0] == 0
    owner(
        "UPDATE reports SET object_key = %s, version_id = %s WHERE id = %s",
        other["path"],
        other["version_id"],
        report.pk,
    )
    assert codes({"problems": problems()}) == {"manifest-edited", "artifact-swapped"}


def test_a_whole_row_deleted(action: Action) -> None:
    """Nothing of it is left in the tables; the trail still tells of it."""
    owner("DELETE FROM actions WHERE id = %s", action.pk)
    told = [(p["code"], p["where"]) for p in problems()]
    assert told == [("told-and-gone", f"the action {action.pk}")]


def test_a_report_and_an_exception_deleted(action: Action, seal: Callable[[], Any]) -> None:
    tenant_id = action.tenant_id
    with tenant_transaction(tenant_id, Actor.system("test")):
        report = Report.objects.create(period_from="2025-01-01", period_to="2025-01-31")
        record("reports.report.requested", report)
        exception = PolicyException.objects.create(reason="r", status="pending", selector={"type": "aws.s3"})
        record("findings.exception.requested", exception)
    seal()
    owner("DELETE FROM reports WHERE id = %s", report.pk)
    owner("DELETE FROM exceptions WHERE id = %s", exception.pk)
    assert {(p["code"], p["where"]) for p in problems()} == {
        ("told-and-gone", f"the report {report.pk}"),
        ("told-and-gone", f"the exception {exception.pk}"),
    }


def test_without_evidence_the_trail_alone_is_verified(action: Action) -> None:
    owner("DELETE FROM actions WHERE id = %s", action.pk)
    assert verify("--no-evidence")[0] == 0
    assert verify("--no-evidence", "--tenant", str(action.tenant_id))[0] == 0


def test_an_object_that_was_deleted_or_overwritten_in_the_store(action: Action) -> None:
    """By raw access: a version deleted is missing; one written over it is another version, and changes nothing."""
    entry, other = entries_of(action)
    client, where = store_client(), {"Bucket": options().bucket, "Key": entry["path"]}
    client.put_object(**where, Body=b"something else")
    assert verify()[0] == 0
    client.delete_object(**where, VersionId=entry["version_id"])
    assert [(p["code"], p["where"]) for p in problems()] == [
        ("artifact-missing", f"the action {action.pk}, {entry['name']}")
    ]
    client.delete_object(Bucket=options().bucket, Key=other["path"], VersionId=other["version_id"])
    assert [p["code"] for p in problems()] == ["artifact-missing", "artifact-missing"]
