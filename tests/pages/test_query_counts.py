"""A list of 50 rows costs as many queries as a list of 3."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.actions.models import Action
from apps.archive.models import LegalHold
from apps.catalog.models import ImportRun
from apps.costs.models import Budget, CostAnomaly, CostDay, CostPeriod
from apps.findings.models import PolicyException, Recommendation, ScanRun
from apps.jobs.models import Job
from apps.reports.models import Report
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_delivery, make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db
PAGES = (
    "/",
    "/resources/",
    "/policies/",
    "/imports/",
    "/violations/",
    "/violations/latest/",
    "/exceptions/",
    "/scans/",
    "/costs/anomalies/",
    "/costs/budgets/",
    "/costs/days/",
    "/costs/periods/",
    "/recommendations/",
    "/actions/",
    "/actions/needing-approval/",
    "/jobs/",
    "/audit/",
    "/notices/",
    "/reports/",
    "/retention/holds/",
)


def fill(user: User, numbers: range) -> None:
    with acting_as(user):
        for n in numbers:
            resource, policy = make_resource(n), make_policy(f"policy-{n}")
            make_violation(resource, policy)
            ImportRun.objects.create(kind="inventory", source=f"{n}.ndjson")
            ScanRun.objects.create(status="succeeded")
            LegalHold.objects.create(reason=f"matter {n}", placed_by="system:test")
            CostAnomaly.objects.create(
                service=f"s{n}", first_day="2026-01-01", last_day="2026-01-02", expected=1, actual=2, impact=1
            )
            Budget.objects.create(
                name=f"b{n}", amount=1, scope="service", scope_value=f"s{n}", status="active"
            )
            CostDay.objects.create(service=f"s{n}", day="2026-01-01", amount=1)
            CostPeriod.objects.create(
                provider="aws", billing_account_id=f"{n}", billing_period_start="2026-01-01"
            )
            Recommendation.objects.create(kind="security", severity="low", title=f"{n}")
            PolicyException.objects.create(
                policy=policy, resource=resource, reason="why", status="pending", created_by=user
            )
            Job.objects.create(
                type="scans.policy",
                queue="scans.policy",
                idempotency_key=f"{n}",
                created_by=f"user:{user.pk}",
            )
            make_delivery(user, n)
            Report.objects.create(period_from="2026-01-01", period_to="2026-01-31", requested_by=user)
            Action.objects.create(
                type="tag", status="preflight", params={"requires_approval": True}, requested_by=user
            )


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(f"{path}?page_size=100" if path != "/" else path).status_code == 200
    return len(captured)


def test_no_list_asks_more_for_more_rows(users: dict[Role, User]) -> None:
    user = users[Role.ADMIN]
    client = browser(user)
    fill(user, range(3))
    few = {path: queries(client, path) for path in PAGES}
    fill(user, range(3, 50))
    many = {path: queries(client, path) for path in PAGES}
    assert many == few
    assert max(few.values()) <= 24, few
