"""Every change by every way in has its row: the writing addresses of the access table, sent so that they work.

An address that is not named here is sent without a body. Where that works it must leave a row too; where it needs
more, its room's own tests look for the row.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpResponse
from django.utils import timezone

from apps.audit.models import Audit
from apps.core.context import tenant_scope
from apps.evidence.errors import TransactionHeld
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser

from .row import Row
from .test_table import TABLE, World, world

__all__ = ["world"]

WRITING = [row for row in TABLE if row.method != "GET" and row.needs is not None and not row.nobody]
# Reads that need a body.
CHANGES_NOTHING = {
    "POST api:preview-list",
    "POST api:policy-preview-list",
    "POST api:policy-explanation-list",
    "POST findings:policy-preview",
}
UNTRIED = 599
TOMORROW = (timezone.now() + timedelta(days=1)).isoformat()
PERIOD = {"period_from": "2026-01-01", "period_to": "2026-01-31"}
BODIES: dict[str, Callable[[World], dict[str, Any]]] = {
    "PUT api:cost-settings": lambda w: {"tag_keys": ["team"]},  # with an empty body it changes nothing
    "PATCH api:webhook-detail": lambda w: {"name": "another"},
    "PATCH api:account-detail": lambda w: {"name": "another"},
    "POST catalog:account-change": lambda w: {"credential": "environment:ROWS", "name": "another"},
    "POST catalog:account-disconnect": lambda w: {},
    "POST api:account-disconnect": lambda w: {},
    "POST admin:tenancy_cloudaccount_change": lambda w: {
        "credential_reference": "environment:ROWS",
        "listing": "describe",
        "name": "another",
        "_save": "1",
    },
    "POST api:token-list": lambda w: {"name": "n", "scopes": ["read"], "expires_at": TOMORROW},
    "POST api:policy-set-status": lambda w: {"status": "disabled"},
    "POST catalog:policy-switch": lambda w: {},
    "PUT api:framework-retention": lambda w: {"retention_years": 3},
    "POST api:framework-install": lambda w: {"key": "nist-800-53-r5"},
    "POST api:mapping-end": lambda w: {},
    "POST api:exception-list": lambda w: {
        "reason": "for now",
        "policy_id": w.rows["policy"].pk,
        "expires_at": TOMORROW,
    },
    "POST api:exception-approve": lambda w: {},
    "POST api:exception-reject": lambda w: {"reason": "no"},
    "POST api:report-list": lambda w: PERIOD,
    "POST reports:report-create": lambda w: PERIOD,
    "POST api:scan-list": lambda w: {},
    "POST findings:scan-create": lambda w: {"mode": "full"},
    "POST findings:policy-scan": lambda w: {},
    "POST findings:resource-scan": lambda w: {},
    "POST api:verification-list": lambda w: {},
    "POST audit:verify": lambda w: {},
    "POST api:job-cancel": lambda w: {},
    "POST jobs:job-cancel": lambda w: {},
    "POST tenancy:token-revoke": lambda w: {},
    "POST catalog:mapping-end": lambda w: {},
    "POST catalog:framework-retention": lambda w: {"retention_years": 3},
    "POST admin:tenancy_tenant_change": lambda w: {"name": "Another name", "_save": "1"},
    "POST admin:tenancy_user_change": lambda w: {
        "upn": "v@x",
        "role": "operator",
        "is_active": "on",
        "_save": "1",
    },
}


def send(row: Row, world: World, user: User) -> HttpResponse:
    body, client, path = BODIES.get(str(row), lambda w: {})(world), browser(user), world.path(row, user)
    if row.is_api and row.name != "api:import-list":
        return client.generic(row.method, path, json.dumps(body), content_type="application/json")
    return client.post(path, body)


@pytest.mark.django_db
def test_every_writing_address_leaves_an_audit_row(world: World) -> None:
    silent, failed = [], []
    for row in WRITING:
        user = next(world.users[role] for role in Role if row.allows(role))
        status, new = _tried(row, world, user)
        if status >= 400 or (status == 200 and not row.is_api):
            failed += [f"{row}: {status}"] if str(row) in BODIES else []
        elif not new and str(row) not in CHANGES_NOTHING and (row.is_api or str(row) in BODIES):
            silent.append(f"{row}: {status}")
    assert silent == [], "they changed something and left no audit row"
    assert failed == [], "these bodies no longer work: the test would look at nothing"


def _tried(row: Row, world: World, user: User) -> tuple[int, int]:
    """(status, new audit rows), undone afterwards. What talks to the object store can't be undone: untried."""
    status, new = UNTRIED, 0
    with tenant_scope(user.tenant_id):
        before = Audit.objects.count()
    with contextlib.suppress(TransactionManagementError, TransactionHeld), transaction.atomic():
        status = send(row, world, user).status_code
        if status < 400:
            with tenant_scope(user.tenant_id):
                new = Audit.objects.count() - before
        transaction.set_rollback(True)
    return status, new
