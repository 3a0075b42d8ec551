"""Sums of costs that lie are named by the command, and made again from the lines."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from apps.costs.models import CostDay, CostRollup
from apps.costs.services.reconciling import ask_for_verification, verify_sums
from apps.tenancy.models import Tenant
from tests.costs.test_import import import_bytes, series_total
from tests.fixtures.costs import focus_csv, focus_row

pytestmark = pytest.mark.django_db


def costs(verb: str, tenant_id: uuid.UUID) -> tuple[int, dict[str, Any]]:
    out, code = io.StringIO(), 0
    try:
        call_command("costs", verb, "--tenant", str(tenant_id), "--json", stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


def test_a_sum_that_lies_is_named_and_made_again(in_tenant: Tenant) -> None:
    assert costs("rebuild", in_tenant.pk) == (0, {"rebuilt": False})
    assert ask_for_verification() == 0
    import_bytes(
        focus_csv([focus_row(1, BilledCost="1.25"), focus_row(2, BilledCost="0.0000000001", ServiceName="B")])
    )
    total = series_total()
    assert costs("verify", in_tenant.pk) == (0, {"differences": 0, "first": [], "failed": False})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cost_timeseries SET amount = amount + 0.01 WHERE service = 'B'")
    CostRollup.objects.filter(service="B").delete()
    code, said = costs("verify", in_tenant.pk)
    assert (code, said["differences"]) == (1, 2)
    assert {one["table"] for one in said["first"]} == {"cost_timeseries", "cost_rollups"}
    assert costs("rebuild", in_tenant.pk) == (0, {"rebuilt": True, "wrong": 2})
    assert verify_sums() == []
    assert series_total() == total
    assert CostDay.objects.exists()
    assert (ask_for_verification(), ask_for_verification()) == (1, 0)
