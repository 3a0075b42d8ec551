"""A tenant is taken out: nothing of it stays but what a lock keeps, and a certificate that the trail knows."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.actions.models import Action
from apps.archive import purging
from apps.archive.holds import place_hold, release_hold
from apps.archive.models import LegalHold
from apps.archive.moving import move_batch
from apps.archive.tables import VIOLATIONS
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.errors import InvalidInput, StaleState
from apps.evidence.client import store_client
from apps.evidence.errors import ArtifactMissing, StoreDenied
from apps.evidence.holding import delete_version, list_versions, locked_until
from apps.evidence.keys import evidence_key
from apps.evidence.options import options
from apps.evidence.store import Artifact, put_artifact, verify_artifact
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant
from tests.audit.conftest import bucket, make_tenant, owner, seal, signers, verify
from tests.fixtures.rows import make_policy, make_resource, make_violation

__all__ = ["bucket", "seal", "signers"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"]),
]
LONG_AGO = datetime(2025, 2, 1, tzinfo=UTC)


def fill(tenant_id: uuid.UUID) -> None:
    with tenant_transaction(tenant_id, Actor.system("test")):
        policy = make_policy()
        make_violation(make_resource(0), policy)
        for number in (1, 2):
            make_violation(make_resource(number), policy, status="fixed", fixed_at=LONG_AGO)
        Action.objects.create(type="t", status="queued", params={})
    owner(
        "INSERT INTO cost_timeseries (tenant_id, service, day, amount) VALUES (%s, 's', current_date, 1)",
        tenant_id,
    )
    with tenant_scope(tenant_id, Actor.system("test")):
        move_batch(VIOLATIONS)


def keep(tenant_id: uuid.UUID, name: str, until: datetime | None = None) -> Artifact:
    with tenant_scope(tenant_id, Actor.system("test")):
        key = evidence_key(uuid.uuid4(), name)
        return put_artifact(key, io.BytesIO(name.encode()), "text/plain", retain_until=until)


@pytest.fixture
def tenants(seal: Callable[[], Any]) -> tuple[uuid.UUID, uuid.UUID]:
    """One to purge and a neighbour, both with rows, history and sealed trails."""
    made = make_tenant("one"), make_tenant("two")
    for tenant_id in made:
        fill(tenant_id)
    seal()
    assert verify()[0] == 0
    return made


def slug_of(tenant_id: uuid.UUID) -> str:
    ((slug,),) = owner("SELECT slug FROM tenants WHERE id = %s", tenant_id)
    return str(slug)


def purge(tenant_id: uuid.UUID) -> dict[str, Any]:
    out, known = io.StringIO(), owner("SELECT slug FROM tenants WHERE id = %s", tenant_id)
    confirm = known[0][0] if known else ""
    call_command("archive", "purge", "--tenant", str(tenant_id), "--confirm", confirm, "--json", stdout=out)
    return dict(json.loads(out.getvalue()))


def rows_left(tenant_id: uuid.UUID) -> dict[str, int]:
    left = {}
    for table in purging.tables_in_order():
        ((n,),) = owner(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", tenant_id)
        left |= {table: n} if n else {}
    return left


def test_nothing_stays_and_the_neighbour_keeps_all(
    tenants: tuple[uuid.UUID, uuid.UUID], seal: Callable[[], Any]
) -> None:
    gone, neighbour = tenants
    kept, before = keep(gone, "loose.txt"), rows_left(neighbour)
    counted = rows_left(gone)
    told = purge(gone)
    assert rows_left(gone) == {}
    assert rows_left(neighbour) == before
    assert owner("SELECT 1 FROM tenants WHERE id = %s", gone) == []
    assert told["tenant"]["id"] == str(gone)
    # What was there, and the row that says that it was begun.
    assert told["rows"] == {**counted, "audits": counted["audits"] + 1}
    assert told["rows"]["violations_history"] == 2
    assert told["rows"]["cost_timeseries"] == 1
    assert (told["objects"]["deleted"], told["objects"]["locked"]) == (1, 0)
    with tenant_scope(gone), pytest.raises(ArtifactMissing):
        verify_artifact(kept.path, kept.version_id, kept.sha256)
    assert verify()[0] == 0
    seal()
    code, said = verify()
    assert (code, said["problems"]) == (0, [])


def test_a_certificate_that_is_gone_or_changed_is_named(
    tenants: tuple[uuid.UUID, uuid.UUID], seal: Callable[[], Any]
) -> None:
    purge(tenants[0])
    seal()
    owner("UPDATE audit_purges SET certificate = replace(certificate, 'one', 'two')")
    assert verify()[1]["by_code"] == {"certificate-edited": 1}
    owner("DELETE FROM audit_purges")
    assert verify()[1]["by_code"] == {"certificate-missing": 1}


def test_a_purged_tenant_that_is_back_is_named(
    tenants: tuple[uuid.UUID, uuid.UUID], seal: Callable[[], Any]
) -> None:
    purge(tenants[0])
    seal()
    owner("INSERT INTO tenants (id, name) VALUES (%s, 'back from a backup')", tenants[0])
    assert "purged-restored" in verify()[1]["by_code"]


def test_a_certificate_does_not_hide_a_tenant_that_is_there(
    tenants: tuple[uuid.UUID, uuid.UUID], seal: Callable[[], Any]
) -> None:
    owner(
        "INSERT INTO audit_purges (id, purged_id, ended_at) VALUES (gen_random_uuid(), %s, now())", tenants[0]
    )
    owner("DELETE FROM audits WHERE tenant_id = %s", tenants[0])
    assert {"purged-restored", "row-deleted"} <= set(verify()[1]["by_code"])


def test_what_is_locked_stays_and_is_told(tenants: tuple[uuid.UUID, uuid.UUID]) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    locked = keep(tenants[0], "locked.txt", until)
    told = purge(tenants[0])
    assert (told["objects"]["deleted"], told["objects"]["locked"]) == (0, 1)
    assert told["objects"]["locked_until"] == until.isoformat()
    with tenant_scope(tenants[0]):
        verify_artifact(locked.path, locked.version_id, locked.sha256)
    # Once more, by its id: a certificate of its own for the rest.
    again = purge(tenants[0])
    assert (again["after"], again["objects"]["locked"], again["rows"]) == (told["sha256"], 1, {})


def test_one_that_was_cut_goes_on_and_counts_once(
    tenants: tuple[uuid.UUID, uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, counted = tenants[0], rows_left(tenants[0])
    slug, plain, calls = slug_of(gone), purging._delete_batch, iter(range(100))

    def cut(*arguments: Any) -> int:
        if next(calls) == 20:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(purging, "_delete_batch", cut)
    with pytest.raises(KeyboardInterrupt):
        purging.purge_tenant(handle=slug, confirm=slug)
    monkeypatch.undo()
    assert 0 < len(rows_left(gone)) < len(counted)
    with pytest.raises(CommandError, match="no tenant"):
        call_command("archive", "status", "--tenant", slug)
    told = purge(gone)
    assert told["rows"] == {**counted, "audits": counted["audits"] + 1}


def test_it_wants_the_slug_and_no_hold(tenants: tuple[uuid.UUID, uuid.UUID]) -> None:
    slug = slug_of(tenants[0])
    with pytest.raises(InvalidInput) as refused:
        purging.purge_tenant(handle=slug, confirm="")
    assert refused.value.field == "confirm"
    with tenant_transaction(tenants[0], Actor.system("test")):
        place_hold(reason="a lawsuit")
    with pytest.raises(StaleState, match="legal hold"):
        purging.purge_tenant(handle=slug, confirm=slug)
    with transaction.atomic("owner"):
        assert Tenant.objects.using("owner").get(pk=tenants[0]).status == "active"


def test_a_hold_is_put_on_what_is_there_and_on_what_comes(tenants: tuple[uuid.UUID, uuid.UUID]) -> None:
    tenant_id = tenants[0]
    old, foreign = keep(tenant_id, "old.txt"), keep(tenants[1], "foreign.txt")
    with tenant_transaction(tenant_id, Actor.system("test")):
        hold = place_hold(reason="a lawsuit")
    assert run_hold(tenant_id)["changed"] == 1
    new = keep(tenant_id, "new.txt")
    with tenant_scope(tenant_id):
        for artifact in (old, new):
            assert locked_until(options().bucket, artifact.path, artifact.version_id) == "hold"
            assert delete_version(options().bucket, artifact.path, artifact.version_id) is False
            verify_artifact(artifact.path, artifact.version_id, artifact.sha256)
        assert locked_until(options().bucket, foreign.path, foreign.version_id) == ""
    with tenant_transaction(tenant_id, Actor.system("test")):
        release_hold(hold=hold, reason="settled")
        with pytest.raises(StaleState):
            release_hold(hold=hold, reason="again")
    assert run_hold(tenant_id)["changed"] == 2
    with tenant_scope(tenant_id):
        assert locked_until(options().bucket, old.path, old.version_id) == ""
        assert delete_version(options().bucket, old.path, old.version_id) is True


def test_a_delete_marker_is_no_hindrance_to_a_hold(tenants: tuple[uuid.UUID, uuid.UUID]) -> None:
    kept = keep(tenants[0], "marked.txt")
    store_client().delete_object(Bucket=options().bucket, Key=kept.path)
    with tenant_transaction(tenants[0], Actor.system("test")):
        place_hold(reason="a lawsuit")
    assert run_hold(tenants[0]) == {"versions": 1, "changed": 1}


def test_a_store_that_does_not_let_us_delete_is_no_lock(
    tenants: tuple[uuid.UUID, uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tenants[0], "loose.txt")
    monkeypatch.setattr(purging, "delete_version", lambda *arguments: False)
    slug = slug_of(tenants[0])
    with pytest.raises(StoreDenied):
        purging.purge_tenant(handle=slug, confirm=slug)
    monkeypatch.undo()
    assert purge(tenants[0])["objects"]["deleted"] == 1


def test_two_holds_on_one_object_end_with_the_last(tenants: tuple[uuid.UUID, uuid.UUID]) -> None:
    artifact = keep(tenants[0], "a.txt")
    area = artifact.path.split("/", 2)[2].rpartition("/")[0] + "/"
    with tenant_transaction(tenants[0], Actor.system("test")):
        place_hold(reason="one", area=area)
        other = place_hold(reason="all")
    for _ in range(2):
        run_hold(tenants[0])
    with tenant_transaction(tenants[0], Actor.system("test")):
        release_hold(hold=other, reason="over")
    run_hold(tenants[0])
    with tenant_scope(tenants[0]):
        assert locked_until(options().bucket, artifact.path, artifact.version_id) == "hold"
        assert list(list_versions(options().bucket, artifact.path))


@pytest.mark.parametrize("area", ["staging/", "evidence/", "evidence/x/", "../", "evidence/" + "0" * 8 + "/"])
def test_a_hold_is_on_everything_or_on_one_thing(tenants: tuple[uuid.UUID, uuid.UUID], area: str) -> None:
    with tenant_transaction(tenants[0], Actor.system("test")):
        with pytest.raises(InvalidInput) as refused:
            place_hold(reason="r", area=area)
        assert refused.value.field == "area"
        assert LegalHold.objects.count() == 0


def run_hold(tenant_id: uuid.UUID) -> dict[str, Any]:
    with tenant_transaction(tenant_id):
        job = Job.objects.filter(type="archive.hold", status="queued").order_by("created_at").first()
    assert job is not None
    ended = run_job(tenant_id, job.pk)
    assert ended is not None
    assert ended.status == "succeeded", ended.error
    return dict(ended.result or {})
