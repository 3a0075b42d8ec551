"""The way of an action from proposal to its end, against a cloud of files, PostgreSQL and the object store."""

from __future__ import annotations

import hashlib
import json

from django.db import transaction

from apps.actions.evidence import manifest_of
from apps.actions.plans import digest
from apps.catalog.models import Resource
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.evidence.store import read_artifact
from apps.tenancy.models import CloudAccount
from tests.fixtures.rows import make_account

from .conftest import Desk


def test_a_proposal_is_planned_approved_carried_out_verified_and_proven(desk: Desk) -> None:
    bucket = desk.buckets[0]
    planned = desk.planned()
    assert planned.status == "preflight"
    assert planned.params["requires_approval"] is True
    assert planned.plan_sha256 == digest(planned.plan)
    target = planned.plan["targets"][0]
    assert (target["before"], target["after"]) == ({"public": True}, {"public": False})
    assert desk.cloud.changes() == []
    action = desk.run(desk.approve(planned))
    assert action.status == "completed", desk.events(action)
    assert desk.cloud.look(bucket.native_id) == {"public": False}
    assert len(desk.cloud.changes()) == 1
    assert [t.state for t in desk.targets(action)] == ["verified"]
    _evidence_is_whole(desk, action)


def _evidence_is_whole(desk: Desk, action: object) -> None:
    manifest = manifest_of(action.result)
    names = [entry["name"] for entry in manifest]
    assert names == [
        "preflight-1-live.json",
        "preflight-1-plan.json",
        "approvals-1.json",
        "calls-1.json",
        "verification-1.json",
    ]
    contents = {}
    for entry in manifest:
        assert entry["path"] == f"tenants/{desk.tenant.id}/evidence/{action.pk}/{entry['name']}"
        assert entry["retain_until"] > entry["received_at"]
        assert {
            "sha256",
            "size",
            "media_type",
            "version_id",
            "collector",
            "source_api",
            "collected_at",
        } <= set(entry)
        assert entry["retention_class"] == "3 years"
        with tenant_scope(desk.tenant.id):
            raw = read_artifact(entry["path"], entry["version_id"], entry["sha256"]).read()
        assert hashlib.sha256(raw).hexdigest() == entry["sha256"]
        assert len(raw) == entry["size"]
        contents[entry["name"]] = json.loads(raw)
    assert contents["preflight-1-live.json"]["states"] == {"1": {"public": True}}
    assert contents["preflight-1-plan.json"]["plan_sha256"] == action.plan_sha256
    assert contents["approvals-1.json"]["approvals"][0]["decided_by"] == str(desk.approver.pk)
    call = contents["calls-1.json"]["targets"][0]["calls"][0]
    assert call["operation"] == "PutPublic"
    assert call["request"]["SecretString"] == "[redacted]"
    assert contents["verification-1.json"]["targets"][0]["live"] == {"public": False}


def test_a_set_is_one_plan_with_one_approval(desk: Desk) -> None:
    action = desk.done(desk.buckets)
    assert action.status == "completed"
    assert [desk.cloud.look(b.native_id)["public"] for b in desk.buckets] == [False] * 3
    assert len({change["key"] for change in desk.cloud.changes()}) == 3
    assert action.plan["monthly_saving"] == "3.75"
    assert action.result["message"] == "3 resources were changed and verified."


def test_what_was_changed_is_soon_read_anew(desk: Desk) -> None:
    with tenant_scope(desk.tenant.id, Actor.system("test")), transaction.atomic():
        account = make_account(desk.tenant)
        Resource.objects.update(account=account.account)
        CloudAccount.objects.filter(pk=account.pk).update(status="connected")
    planned = desk.planned()
    with tenant_transaction(desk.tenant.id):
        assert CloudAccount.objects.get(pk=account.pk).discovery_due_at is None
    assert desk.run(desk.approve(planned)).status == "completed"
    with tenant_transaction(desk.tenant.id):
        assert CloudAccount.objects.get(pk=account.pk).discovery_due_at is not None
