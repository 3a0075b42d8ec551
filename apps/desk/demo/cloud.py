"""The demo's cloud account: filled once, connected, discovered. Nothing happens where no demo cloud is given."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from apps.catalog.services import check_account, start_discovery
from apps.core.context import Actor, current_tenant_id, tenant_scope, tenant_transaction
from apps.core.errors import GovernanceError
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.commands import run_here
from apps.tenancy.cloud_accounts import allow_credential, create_account
from apps.tenancy.models import CloudAccount, CloudCredential
from apps.tenancy.services import find_tenant

from .cloud_estate import REGIONS, clients, make_estate
from .people import TENANTS

PREFIX = "DEMO_CLOUD"
ACCOUNT = "123456789012"
PATIENCE_SECONDS = 300
Say = Callable[[str], None]


def connect_cloud(say: Say) -> None:
    """Make the estate, connect its account to the first demo tenant and discover it; each once."""
    url = os.environ.get(f"{PREFIX}_URL", "")
    if not url or not _is_up(url):
        return
    with tenant_scope(find_tenant(TENANTS[0].slug), Actor.system("demo")):
        _allow(url)
        account = _account()
        if account.discovered_at is not None:
            return
        make_estate(
            clients(url, os.environ[f"{PREFIX}_ACCESS_KEY_ID"], os.environ[f"{PREFIX}_SECRET_ACCESS_KEY"])
        )
        account = check_account(account_id=account.pk)
        if account.problem:
            raise GovernanceError(f"The demo's cloud: {account.problem}")
        with tenant_transaction(current_tenant_id()):
            job = start_discovery(account=account, send=False)
        run_here(job)
        with tenant_transaction(current_tenant_id()):
            scan = start_policy_scan(send=False)
        run_here(scan)
        say(f"{TENANTS[0].name}: the demo's AWS account {ACCOUNT} is connected and discovered.")


def _allow(url: str) -> None:
    """The platform's permission; again where the cloud has got another port."""
    with tenant_transaction(current_tenant_id()):
        there = CloudCredential.objects.filter(
            provider="aws", kind="environment", pattern=PREFIX, endpoint_url=url, revoked_at=None
        ).exists()
    if not there:
        allow_credential(provider="aws", reference=f"environment:{PREFIX}", endpoint_url=url)


def _account() -> CloudAccount:
    with tenant_transaction(current_tenant_id()):
        there = CloudAccount.objects.filter(provider="aws", account=ACCOUNT).first()
        return there or create_account(
            provider="aws",
            account=ACCOUNT,
            credential=f"environment:{PREFIX}",
            name="Northwind production",
            regions=list(REGIONS),
            discover_every_minutes=60,
        )


def _is_up(url: str) -> bool:
    """Whether the demo's cloud answers, after it has done again what its recording holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=5):  # noqa: S310  an address of ours
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.5)
    return False
