"""The page of a report that is done names every file of its manifest."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.context import tenant_transaction
from apps.reports.models import Report
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.estate import PASSWORD

pytestmark = pytest.mark.django_db


def test_a_finished_report_shows_its_files(client: Client, tenant: Tenant, users: dict[Role, User]) -> None:
    file = {"path": "violations.csv", "size": 1234, "sha256": "ab" * 32, "media_type": "text/csv"}
    with tenant_transaction(tenant.id):
        report = Report(
            period_from=date(2026, 1, 1),
            period_to=date(2026, 1, 31),
            status="succeeded",
            manifest={"files": [file]},
        )
        report.save(force_insert=True)
    client.post(
        reverse("tenancy:sign-in"),
        {"tenant": tenant.slug, "upn": users[Role.VIEWER].upn, "password": PASSWORD},
    )
    response = client.get(reverse("reports:report-detail", args=[report.pk]))
    assert response.status_code == 200
    assert "violations.csv" in response.content.decode()
