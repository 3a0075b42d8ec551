"""The specification's sample queries (3.5), verbatim, against the endpoints that stand for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from apps.actions.models import Action
from apps.tenancy.models import Tenant
from tests.api.conftest import Api
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db

LATEST_OPEN = """
select v.* from violations v
join (
  select resource_id, max(last_seen) as last_seen
  from violations where status='open' and tenant_id=$1
  group by resource_id
) x on x.resource_id = v.resource_id and x.last_seen = v.last_seen
where v.tenant_id = $1
order by v.severity desc;
"""
NEEDING_APPROVAL = """
select * from actions where tenant_id=$1 and status='preflight' and (params->>'requires_approval')='true';
"""


def ids(text: str, tenant: Tenant) -> set[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(text.replace("$1", "%(tenant)s"), {"tenant": tenant.id})
        columns = [column.name for column in cursor.description]
        return {str(dict(zip(columns, row, strict=True))["id"]) for row in cursor.fetchall()}


def test_latest_open_violations_per_resource(viewer: Api, inside: Tenant) -> None:
    first, second = make_policy("one"), make_policy("two")
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    later = noon + timedelta(hours=1)
    for number, (a, b) in enumerate(
        [
            ({"last_seen": noon}, {"last_seen": later}),  # the later one
            ({"last_seen": noon}, {"last_seen": noon}),  # both
            ({"last_seen": noon}, {"last_seen": later, "status": "fixed"}),  # the open one
            ({"last_seen": noon}, {"last_seen": noon, "status": "suppressed"}),  # both: the sample's join
            ({"last_seen": noon, "status": "fixed"}, {"last_seen": later, "status": "fixed"}),  # none
        ]
    ):
        resource = make_resource(number)
        make_violation(resource, first, **a)
        make_violation(resource, second, **b, severity="critical")
    shown = viewer.ids("violations/latest-open/")
    assert set(shown) == ids(LATEST_OPEN, inside)
    assert len(shown) == 6


def test_actions_needing_approval(viewer: Api, inside: Tenant) -> None:
    asked: list[dict[str, Any]] = [
        {"requires_approval": True},
        {"requires_approval": "true"},
        {"requires_approval": False},
        {"requires_approval": None},
        {},
    ]
    for params in asked:
        for status in ("queued", "preflight", "failed"):
            Action.objects.create(type="tag", status=status, params=params)
    shown = viewer.ids("actions/needing-approval/")
    assert set(shown) == ids(NEEDING_APPROVAL, inside)
    assert len(shown) == 2
