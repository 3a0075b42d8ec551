"""On a real TimescaleDB: an import, its restatement and its sums, through the app role's column-level grants."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum

from apps.costs.models import CostDay, CostSettings
from apps.costs.services.importing import import_costs
from apps.costs.services.rollups import check_sums
from apps.tenancy.models import Tenant
from tests.fixtures.costs import focus_csv, focus_row

pytestmark = [pytest.mark.django_db, pytest.mark.timescale]


def test_an_import_lands_in_chunks_of_a_month_and_a_restatement_nets_out(in_tenant: Tenant) -> None:
    rows = [
        focus_row(n, BillingPeriodStart=f"2026-{n:02}-01", ChargePeriodStart=f"2026-{n:02}-15", BilledCost=n)
        for n in range(1, 7)
    ]
    import_costs(source=io.BytesIO(focus_csv(rows)), name="bill.csv")
    import_costs(source=io.BytesIO(focus_csv([{**rows[0], "BilledCost": "100"}])), name="again.csv")
    assert CostDay.objects.aggregate(total=Sum("amount"))["total"] == Decimal(120)
    assert check_sums(CostSettings.objects.get()) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM show_chunks('cost_timeseries')")
        assert cursor.fetchone()[0] >= 6
