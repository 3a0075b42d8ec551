"""Filling the demo, by the same services and jobs that people use. Killed halfway it goes on where it was."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from apps.catalog.models import Resource
from apps.catalog.services import import_inventory, import_policies, install_framework
from apps.catalog.services.framework_files import library
from apps.connectors.sample import estate, focus_lines
from apps.core.context import Actor, current_tenant_id, tenant_scope, tenant_transaction
from apps.core.errors import NotFound
from apps.costs.models import CostLine
from apps.costs.services.budgets import check_budgets, create_budget
from apps.costs.services.detecting import detect_anomalies
from apps.costs.services.importing import import_costs
from apps.findings.models import PolicyException, Recommendation, ScanRun, Violation
from apps.findings.savings.scanning import start_finops_scan
from apps.findings.services.exceptions import approve_exception, reject_exception, request_exception
from apps.findings.services.scanning import start_policy_scan
from apps.findings.services.security_scan import start_security_scan
from apps.jobs.commands import run_here
from apps.tenancy.models import User
from apps.tenancy.services import create_tenant, create_user, find_tenant

from .people import TENANTS, USERS, DemoTenant, demo_password, upn

STARTER = Path(settings.BASE_DIR) / "apps" / "catalog" / "starter"
COST_DAYS = 150
Say = Callable[[str], None]


def fill(say: Say) -> None:
    """Everything for every demo tenant; a step that was done before is left alone."""
    password_hash = make_password(demo_password(settings.DATA_DIR))
    made = [(demo, _tenant(demo)) for demo in TENANTS]
    for demo, tenant_id in made:
        with tenant_scope(tenant_id, Actor.system("demo")):
            _users(demo, password_hash)
    say("People can sign in.")
    for demo, tenant_id in made:
        with tenant_scope(tenant_id, Actor.system("demo")):
            _fill_tenant(demo, say)


def is_filled() -> bool:
    """Whether the last step of the last tenant is there."""
    try:
        tenant_id = find_tenant(TENANTS[-1].slug)
    except NotFound:
        return False
    with tenant_transaction(tenant_id, Actor.system("demo")):
        return PolicyException.objects.exists()


def _tenant(demo: DemoTenant) -> uuid.UUID:
    try:
        return find_tenant(demo.slug)
    except NotFound:
        return create_tenant(name=demo.name, slug=demo.slug).pk


def _users(demo: DemoTenant, password_hash: str) -> None:
    with transaction.atomic():
        there = set(User.objects.values_list("upn", flat=True))
        for person in USERS:
            if upn(person, demo) not in there:
                user = create_user(
                    upn=upn(person, demo),
                    role=person.role,
                    password=None,
                    display_name=person.display_name,
                    email=upn(person, demo),
                )
                # One hash for all of them: a hash takes a third of a second, by design.
                User.objects.filter(pk=user.pk).update(password=password_hash)


def _fill_tenant(demo: DemoTenant, say: Say) -> None:
    rows = list(estate(demo.seed, demo.resources))
    if not _there(Resource.objects):
        # First an older state, then today's: fixed and re-opened violations have a history to show.
        _inventory(_last_month(rows), "estate-last-month.ndjson")
        import_policies(source=STARTER, name="starter library")
        _frameworks()
        _scan()
        _inventory(rows, "estate-today.ndjson")
        say(f"{demo.name}: {len(rows)} resources and the starter policies are in.")
    _scan()
    if not _there(CostLine.objects):
        _costs(demo)
    if not _there(Recommendation.objects):
        _savings()
    if not _there(ScanRun.objects.filter(kind="security", status="succeeded")):
        _security()
    if not _there(PolicyException.objects):
        _exceptions(demo)
    say(f"{demo.name}: scanned, with exceptions, costs and recommendations.")


def _frameworks() -> None:
    with tenant_transaction(current_tenant_id()):
        for key in library():
            install_framework(key=key)


def _last_month(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Most of today's resources, some of them without the tags that somebody has given them since."""
    earlier = rows[: int(len(rows) * 0.8)]
    return [_untagged(row) if number % 9 == 0 else row for number, row in enumerate(earlier)]


def _untagged(row: dict[str, Any]) -> dict[str, Any]:
    document = {k: v for k, v in row["properties"].items() if k not in ("Tags", "TagSet", "labels", "tags")}
    return {**row, "tags": {}, "properties": document}


def _there(manager: Any) -> bool:
    with tenant_transaction(current_tenant_id()):
        return bool(manager.exists())


def _inventory(rows: list[dict[str, Any]], name: str) -> None:
    raw = "".join(json.dumps(row) + "\n" for row in rows).encode()
    import_inventory(source=io.BytesIO(raw), name=name, format="ndjson")


def _scan() -> None:
    with tenant_transaction(current_tenant_id()):
        job = start_policy_scan(send=False)
    run_here(job)


def _security() -> None:
    """What no policy sees on one resource alone, and what to do about it."""
    with tenant_transaction(current_tenant_id()):
        job = start_security_scan(send=False)
    run_here(job)


def _costs(demo: DemoTenant) -> None:
    """The estate's bill, by the import that bills come by; what was planted in it stands in the inbox."""
    raw = "".join(focus_lines(demo.seed, COST_DAYS)).encode()
    import_costs(source=io.BytesIO(raw), name="focus-export.csv", format="focus")
    with tenant_transaction(current_tenant_id()):
        detect_anomalies()
        month = CostLine.objects.filter(day__gte=timezone.now().date() - timedelta(days=30))
        usual = month.aggregate(total=Sum("billed_cost"))["total"] or Decimal(1000)
        create_budget(name="All clouds", amount=usual.quantize(Decimal(1)) + 1)
        create_budget(
            name="Amazon EC2",
            amount=Decimal(1500),
            scope="service",
            scope_value="Amazon EC2",
            thresholds=[50, 80, 100],
        )
        check_budgets()


def _savings() -> None:
    """What the savings scan finds in the estate, priced by the demo's own bill."""
    with tenant_transaction(current_tenant_id()):
        job = start_finops_scan(send=False)
    run_here(job)


def _person(demo: DemoTenant, name: str) -> User:
    return User.objects.get(upn=f"{name}@{demo.domain}")


def _exceptions(demo: DemoTenant) -> None:
    """One granted, one refused, three that wait: asked by the operator, decided by the approver."""
    with tenant_transaction(current_tenant_id()):
        operator, approver = _person(demo, "olga"), _person(demo, "anton")
        worst = list(
            Violation.objects.filter(status="open", policy__isnull=False, resource__isnull=False)
            .select_related("policy", "resource")
            .order_by("-severity_rank", "id")[:400:80]
        )
    term = timezone.now() + timedelta(days=28)
    reasons = (
        "Vendor appliance: replacement is ordered and arrives this quarter.",
        "We do not use this any more, please ignore.",
        "Public download area, approved by the communications team.",
        "Migration to the new landing zone is planned for next month.",
        "Test system without customer data, isolated network.",
    )
    asked: list[PolicyException] = []
    for violation, reason in zip(worst, reasons, strict=False):
        with tenant_transaction(current_tenant_id(), Actor.user(operator.pk)):
            asked.append(
                request_exception(
                    policy=violation.policy, resource=violation.resource, reason=reason, expires_at=term
                )
            )
    with tenant_transaction(current_tenant_id(), Actor.user(approver.pk)):
        if len(asked) > 1:
            approve_exception(exception=asked[0], reason="Until the replacement is in place.")
            reject_exception(exception=asked[1], reason="Not in use means: switch it off.")
