"""Previews count what a scan would do and do none of it; explanations name the values that decided."""

from __future__ import annotations

import pytest
import yaml
from django.db import connection

from apps.catalog.models import Policy, Resource
from apps.core.context import tenant_transaction
from apps.core.errors import InvalidInput
from apps.findings.models import Violation
from apps.findings.services.explaining import explain_pair, explain_violation
from apps.findings.services.preview import preview_policy
from apps.findings.services.reading import TookTooLong, bounded_reading
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant
from tests.fixtures.estate import UNOWNED_BUCKETS, bucket, import_policy, import_rows

pytestmark = pytest.mark.django_db

OWNED = yaml.safe_load(UNOWNED_BUCKETS)["policies"][0]
NAMED = {
    **OWNED,
    "filters": [{"type": "value", "key": "Name", "op": "in", "value": ["bucket-1", "bucket-2"]}],
}


@pytest.fixture
def scanned(in_tenant: Tenant) -> Tenant:
    """Six buckets, of which 0, 2 and 4 break the policy; bucket-4 is deleted since, which no scan has seen."""
    import_rows([bucket(n) for n in range(6)])
    import_policy(UNOWNED_BUCKETS)
    job = start_policy_scan(send=False)
    run_job(in_tenant.id, job.pk)
    return in_tenant


def test_a_stored_policy_changes_nothing_where_nothing_changed(scanned: Tenant) -> None:
    found = preview_policy(policy=Policy.objects.get())
    assert (found.opens, found.closes, found.stays, found.errors) == (0, 0, 3, 0)


def test_a_definition_not_yet_saved_is_held_against_what_stands(scanned: Tenant) -> None:
    found = preview_policy(definition=NAMED, language="custodian")
    assert (found.opens, found.closes, found.stays) == (1, 2, 1)
    assert [(s.name, s.native_id) for s in found.opening] == [("bucket-1", "arn:aws:s3:::bucket-1")]
    assert "bucket-1" in found.opening[0].reason
    assert {s.name for s in found.closing} == {"bucket-0", "bucket-4"}
    assert all("owner" in s.reason for s in found.closing)


def test_a_definition_of_another_name_closes_nothing(scanned: Tenant) -> None:
    found = preview_policy(definition={**NAMED, "name": "another"}, language="custodian")
    assert (found.opens, found.closes, found.stays) == (2, 0, 0)


def test_a_preview_does_what_the_scan_then_does(scanned: Tenant) -> None:
    Resource.objects.filter(name="bucket-4").update(status="deleted")
    import_rows([bucket(0) | {"tags": {"owner": "x"}}, bucket(6)])
    found = preview_policy(policy=Policy.objects.get())
    job = start_policy_scan(send=False)
    run_job(scanned.id, job.pk)
    job.refresh_from_db()
    assert job.result is not None
    did = (job.result["opened"] + job.result["reopened"], job.result["fixed"], job.result["still_open"])
    assert (found.opens, found.closes, found.stays) == did == (1, 2, 1)


def test_a_preview_writes_nothing_and_leaves_the_transaction_writable(scanned: Tenant) -> None:
    before, setting = list(Violation.objects.order_by("pk").values()), timeout_setting()
    preview_policy(definition=NAMED, language="custodian")
    assert list(Violation.objects.order_by("pk").values()) == before
    import_rows([bucket(9)])
    assert timeout_setting() == setting


def timeout_setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def test_a_reading_can_not_write(in_tenant: Tenant) -> None:
    with pytest.raises(InvalidInput, match="read-only"), bounded_reading(1_000) as cursor:
        cursor.execute("UPDATE resources SET name = name")
    import_rows([bucket(1)])


def test_a_reading_that_takes_too_long_is_stopped_with_words(in_tenant: Tenant) -> None:
    with pytest.raises(TookTooLong, match=r"0\.05 seconds"), bounded_reading(50) as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    assert Resource.objects.count() == 0


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"name": "x", "resource": "aws.s3", "filters": [{"type": "metrics"}]}, "metrics"),
        ({"name": "x", "resource": "aws.s3", "filtres": []}, "filtres"),
    ],
)
def test_what_does_not_compile_is_refused_by_name(in_tenant: Tenant, definition: dict, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        preview_policy(definition=definition, language="custodian")


def test_a_missing_parameter_is_named(in_tenant: Tenant) -> None:
    definition = {
        "parameters": {"region": {"type": "String"}},
        "policyRule": {
            "if": {"field": "location", "equals": "[parameters('region')]"},
            "then": {"effect": "audit"},
        },
    }
    with pytest.raises(InvalidInput, match="region"):
        preview_policy(definition=definition, language="azure")
    import_rows([bucket(0) | {"provider": "azure", "type": "microsoft.storage/storageaccounts"}])
    found = preview_policy(definition=definition, language="azure", parameters={"region": "eu-west-1"})
    assert found.opens == 1


def test_another_tenants_resources_are_not_counted(scanned: Tenant, other_tenant: Tenant) -> None:
    with tenant_transaction(other_tenant.id):
        assert preview_policy(definition=NAMED, language="custodian").opens == 0


def test_a_violation_is_explained_by_the_condition_that_decided(scanned: Tenant) -> None:
    found = explain_violation(violation=Violation.objects.get(resource__name="bucket-0"))
    assert found.outcome == "violation"
    (leaf,) = [part for part in found.leaves if "owner" in part.path]
    assert leaf.actual == "missing"
    assert found.notes == ()


def test_an_explanation_says_what_changed_since_the_scan(scanned: Tenant) -> None:
    import_rows([bucket(0) | {"tags": {"owner": "grace"}}])
    found = explain_violation(violation=Violation.objects.get(resource__name="bucket-0"))
    assert found.outcome == "compliant"
    assert any("grace" in part.actual for part in found.leaves)
    assert any("next one closes" in note for note in found.notes)


def test_any_pair_is_explained(scanned: Tenant) -> None:
    policy = Policy.objects.get()
    found = explain_pair(policy=policy, resource=Resource.objects.get(name="bucket-1"))
    assert found.outcome == "compliant"
    import_rows([bucket(7) | {"type": "aws.rds", "id": "db"}])
    found = explain_pair(policy=policy, resource=Resource.objects.get(type="aws.rds"))
    assert found.outcome == "compliant"
    assert any((part.path, part.actual) == ("type", '"aws.rds"') for part in found.leaves)
