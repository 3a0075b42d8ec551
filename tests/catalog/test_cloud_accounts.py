"""Cloud accounts: references instead of secrets, one tenant an account, proof before use, reasons in words."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, transaction

from apps.audit.models import Audit
from apps.catalog.services import check_account, cloud_of
from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.errors import CloudDenied
from apps.core.context import tenant_scope, tenant_transaction
from apps.core.errors import InvalidInput, NotFound, Refused
from apps.tenancy.cloud_accounts import (
    HELD,
    allow_credential,
    create_account,
    disconnect_account,
)
from apps.tenancy.cloud_references import reference_matches, split_reference
from apps.tenancy.models import CloudAccount, CloudCredential, Tenant
from tests.fixtures.clouds import HOME_ACCOUNT, PREFIX, REGION, allow, connect_aws, new_account_number, revoke

pytestmark = pytest.mark.django_db
REFERENCE = f"environment:{PREFIX}"


def test_a_proven_account_can_be_called(tenant: Tenant, moto_endpoint: str) -> None:
    row = connect_aws(tenant, moto_endpoint)
    assert (row.status, row.problem) == ("connected", "")
    with tenant_scope(tenant.id):
        cloud = cloud_of(provider="aws", account=HOME_ACCOUNT)
        assert cloud_of(provider="aws", account=None).access == cloud.access
    assert cloud.identity() == HOME_ACCOUNT
    assert cloud.access.regions == (REGION,)
    with tenant_transaction(tenant.id):
        codes = list(
            Audit.objects.filter(action__startswith="tenancy.cloud_account.").values_list("action", flat=True)
        )
    assert sorted(codes) == ["tenancy.cloud_account.connected", "tenancy.cloud_account.created"]


def test_an_assumed_role_reaches_its_own_account_with_our_external_id(
    tenant: Tenant, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = new_account_number()
    row = connect_aws(tenant, moto_endpoint, number)
    assert row.status == "connected", row.problem
    asked: list[dict[str, Any]] = []
    from botocore.client import BaseClient

    send = BaseClient._make_api_call

    def spy(self: Any, name: str, request: dict[str, Any]) -> Any:
        asked.append({"name": name, **request})
        return send(self, name, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", spy)
    with tenant_scope(tenant.id):
        assert cloud_of(provider="aws", account=number).identity() == number
    assumed = next(call for call in asked if call["name"] == "AssumeRole")
    assert assumed["ExternalId"] == row.external_id
    assert len(row.external_id) == 32


def test_a_tenants_admin_can_not_point_at_what_the_platform_has_not_allowed(tenant: Tenant) -> None:
    allow(tenant, "assume_role:arn:aws:iam::*:role/desk")
    with tenant_scope(tenant.id), transaction.atomic():
        for reference in (
            REFERENCE,
            "file:/etc/passwd",
            "assume_role:arn:aws:iam::111122223333:role/other",
        ):
            with pytest.raises(Refused, match="does not allow"):
                create_account(provider="aws", account=HOME_ACCOUNT, credential=reference)
        made = create_account(
            provider="aws",
            account="111122223333",
            credential="assume_role:arn:aws:iam::111122223333:role/desk",
        )
        assert made.status == "unproven"


def test_another_tenants_permission_is_not_mine(tenant: Tenant, other_tenant: Tenant) -> None:
    allow(other_tenant, REFERENCE)
    with tenant_scope(tenant.id), transaction.atomic(), pytest.raises(Refused, match="does not allow"):
        create_account(provider="aws", account=HOME_ACCOUNT, credential=REFERENCE)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "never a secret"),
        ("environment:AWS", "platform's own"),
        ("environment:AWS_EVIDENCE", "platform's own"),
        ("environment:../x", "prefix of variables"),
        ("file:relative/path", "absolute path"),
        ("file:/run/../etc/shadow", r"\.\."),
        ("assume_role:arn:aws:iam::*:role/desk", "role's ARN"),
    ],
)
def test_a_bad_reference_is_named(reference: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        split_reference(reference)
    assert refused.value.field == "credential"
    assert "AKIA" not in str(refused.value)


def test_a_star_stands_for_an_account_number_and_nothing_else() -> None:
    pattern = "arn:aws:iam::*:role/desk"
    assert reference_matches(pattern, "arn:aws:iam::111122223333:role/desk")
    assert not reference_matches(pattern, "arn:aws:iam::111122223333:role/x:role/desk")
    assert not reference_matches(pattern, "arn:aws:iam::1:role/desk")
    assert not reference_matches("/run/*", "/run/secret")


def test_the_app_role_can_not_allow_anything(tenant: Tenant) -> None:
    with (
        tenant_scope(tenant.id),
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
    ):
        CloudCredential.objects.create(provider="aws", kind="environment", pattern="X")


def test_a_live_account_belongs_to_one_tenant(
    tenant: Tenant, other_tenant: Tenant, moto_endpoint: str
) -> None:
    number = new_account_number()
    reference = f"assume_role:arn:aws:iam::{number}:role/desk"
    allow(other_tenant, reference, endpoint=moto_endpoint, source=REFERENCE)
    with tenant_scope(other_tenant.id):
        with transaction.atomic():
            claimed = create_account(provider="aws", account=number, credential=reference)
        assert connect_aws(tenant, moto_endpoint, number).status == "connected", "a claim alone holds nothing"
        with pytest.raises(Refused) as refused:
            check_account(account_id=claimed.pk)
        assert str(refused.value) == HELD
        assert tenant.name not in HELD
        with pytest.raises(Refused):
            cloud_of(provider="aws", account=number)
        with transaction.atomic():
            disconnect_account(account=claimed)
            with pytest.raises(Refused, match="somebody else"):
                create_account(provider="aws", account=number, credential=reference)


def test_credentials_of_another_account_prove_nothing(tenant: Tenant, moto_endpoint: str) -> None:
    allow(tenant, REFERENCE, endpoint=moto_endpoint)
    with tenant_scope(tenant.id):
        with transaction.atomic():
            row = create_account(provider="aws", account="999988887777", credential=REFERENCE)
        row = check_account(account_id=row.pk)
    assert row.status == "unproven"
    assert row.problem == f"These credentials are of the account {HOME_ACCOUNT}, not of 999988887777."
    with tenant_scope(tenant.id), pytest.raises(Refused, match="unproven: These credentials"):
        cloud_of(provider="aws", account="999988887777")


def test_missing_credentials_are_named_and_the_account_stays(
    tenant: Tenant, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connect_aws(tenant, moto_endpoint)
    monkeypatch.delenv(f"{PREFIX}_SECRET_ACCESS_KEY")
    with tenant_scope(tenant.id):
        row = check_account(account_id=row.pk)
        assert row.status == "connected"
        assert f"{PREFIX}_SECRET_ACCESS_KEY is not set" in row.problem
        with pytest.raises(CloudDenied):
            cloud_of(provider="aws", account=HOME_ACCOUNT)


def test_what_the_platform_takes_away_stops_at_once(tenant: Tenant, moto_endpoint: str) -> None:
    connect_aws(tenant, moto_endpoint)
    revoke(tenant)
    with tenant_scope(tenant.id), pytest.raises(Refused, match="no longer allows"):
        cloud_of(provider="aws", account=HOME_ACCOUNT)


def test_a_disconnected_account_is_not_called_and_can_come_back(tenant: Tenant, moto_endpoint: str) -> None:
    row = connect_aws(tenant, moto_endpoint)
    with tenant_scope(tenant.id):
        with transaction.atomic():
            disconnect_account(account=row)
        with pytest.raises(Refused, match="disconnected"):
            cloud_of(provider="aws", account=HOME_ACCOUNT)
        with transaction.atomic():
            again = create_account(provider="aws", account=HOME_ACCOUNT, credential=REFERENCE)
        assert (again.pk, check_account(account_id=again.pk).status) == (row.pk, "connected")


def test_without_accounts_it_is_said(tenant: Tenant) -> None:
    with tenant_scope(tenant.id):
        with pytest.raises(NotFound, match="No aws account is connected"):
            cloud_of(provider="aws", account=None)
        with pytest.raises(NotFound, match="111122223333 is not connected"):
            cloud_of(provider="aws", account="111122223333")


def test_the_process_s_own_credentials_are_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEVIDENCE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "evidence")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for kind, values in (
        ("workload_identity", {"name": "web"}),
        ("assume_role", {"role_arn": "arn:aws:iam::1:role/x", "external_id": "e", "source": ""}),
    ):
        access = AccountAccess("aws", HOME_ACCOUNT, CredentialReference(kind, values))
        with pytest.raises(CloudDenied):
            AwsCloud(access).identity()


def test_a_file_of_credentials(tmp_path: Path, moto_endpoint: str) -> None:
    path = tmp_path / "keys.json"
    access = AccountAccess(
        "aws", HOME_ACCOUNT, CredentialReference("file", {"path": str(path)}), (), moto_endpoint
    )
    with pytest.raises(CloudDenied, match="is not there"):
        AwsCloud(access)
    path.write_text(json.dumps({"AccessKeyId": "AKIATRIAL", "SecretAccessKey": "trial"}))
    assert AwsCloud(access).identity() == HOME_ACCOUNT


def test_a_permission_that_was_not_given_leaves_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.tenancy.cloud_accounts.OWNER", "default")
    with tenant_scope(tenant.id), pytest.raises(ProgrammingError), transaction.atomic():
        allow_credential(provider="aws", reference=REFERENCE)
    with tenant_transaction(tenant.id):
        assert not CloudCredential.objects.exists()
        assert not Audit.objects.filter(action__startswith="tenancy.cloud_credential").exists()


def test_the_account_command(tenant: Tenant, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By who is not the platform: the reference was allowed before."""
    monkeypatch.setattr("apps.catalog.management.commands.account._is_platform", lambda: False)
    allow(tenant, REFERENCE, endpoint=moto_endpoint)
    words = [
        "--tenant",
        tenant.slug,
        "--provider",
        "aws",
        "--account",
        HOME_ACCOUNT,
        "--credential",
        REFERENCE,
    ]
    made = run("create", *words, "--region", REGION, "--every", "60")
    assert (made["status"], made["problem"], made["every_minutes"]) == ("connected", "", 60)
    assert run("test", "--tenant", tenant.slug, "--account", HOME_ACCOUNT)["status"] == "connected"
    by = ("--tenant", tenant.slug, "--account", HOME_ACCOUNT)
    named = run("change", *by, "--name", "Shop")
    assert (named["name"], named["regions"], named["every_minutes"]) == ("Shop", [REGION], 60)
    assert run("change", *by, "--by-hand", "--all-regions")["every_minutes"] is None
    with pytest.raises(CommandError, match="15 minutes"):
        call_command("account", "change", *by, "--every", "1")
    assert [a["account"] for a in run("list", "--tenant", tenant.slug)["accounts"]] == [HOME_ACCOUNT]
    with pytest.raises(CommandError, match="is there already"):
        call_command("account", "create", *words)
    with pytest.raises(CommandError, match="Only the platform"):
        call_command("account", "create", *words, "--endpoint-url", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="set DATABASE_OWNER_URL"):
        call_command("account", "allow", *words[:4], *words[6:])
    assert run("disconnect", "--tenant", tenant.slug, "--account", made["id"])["status"] == "disconnected"
    with tenant_transaction(tenant.id):
        assert CloudAccount.objects.get().discovery_due_at is None


def run(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("account", *words, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer
