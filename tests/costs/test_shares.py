"""Allocation adds up to the bill whatever is split how; unit costs divide what was counted."""

from __future__ import annotations

import datetime as dt
import io
import random
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.core.errors import InvalidInput
from apps.costs.allocation import allocate, split_exactly
from apps.costs.models import UnitMetric
from apps.costs.services.importing import import_costs
from apps.costs.services.units import record_metrics
from apps.costs.units import unit_costs
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.costs import focus_csv, focus_row
from tests.fixtures.estate import acting_as

pytestmark = pytest.mark.django_db
MAY = {"start": dt.date(2026, 5, 1), "end": dt.date(2026, 5, 31)}


def bill() -> bytes:
    tags = ['{"team": "red"}'] * 3 + ['{"team": "blue"}'] + ['{"team": "platform"}'] * 2 + ["{}"]
    return focus_csv([focus_row(n, Tags=tag, BilledCost="1.0000001") for n, tag in enumerate(tags)])


@pytest.fixture
def costs(in_tenant: Tenant) -> Tenant:
    import_costs(source=io.BytesIO(bill()), name="bill.csv")
    return in_tenant


@pytest.mark.parametrize(
    ("split", "shared", "together"),
    [
        ("proportional", ["platform"], {"red": "5.250000525", "blue": "1.750000175"}),
        ("even", ["platform"], {"red": "4.50000045", "blue": "2.50000025"}),
        ("none", ["platform"], {"red": "3.0000003", "blue": "1.0000001"}),
        ("even", [], {"red": "3.333333", "blue": "1.333333", "platform": "2.333333"}),
    ],
)
def test_a_split_adds_up_to_the_bill(
    costs: Tenant, split: str, shared: list[str], together: dict[str, str]
) -> None:
    found = allocate(key="team", split=split, shared=shared, **MAY)
    assert found.total == Decimal("7.0000007")
    assert {s.value for s in found.shares} == set(together)
    for share in found.shares:
        assert abs(share.total - Decimal(together[share.value])) < Decimal("0.000002")


def test_parts_add_up_to_the_last_digit() -> None:
    rnd = random.Random(5)
    for _ in range(300):
        pool = Decimal(rnd.randrange(-(10**12), 10**12)).scaleb(-rnd.randrange(12))
        own = {
            f"v{n}": Decimal(rnd.randrange(-(10**6), 10**9)).scaleb(-9) for n in range(rnd.randrange(1, 9))
        }
        parts = split_exactly(pool, own, even=rnd.random() < 0.5)
        assert not parts or sum(parts.values()) == pool


def test_a_tag_that_is_not_rolled_up_is_told(costs: Tenant) -> None:
    with pytest.raises(InvalidInput, match="team"):
        allocate(key="nope", **MAY)


def test_the_cost_of_one_counts_the_days_with_a_quantity(costs: Tenant) -> None:
    day = {"metric": "orders", "day": "2026-05-02"}
    assert record_metrics(rows=[day | {"quantity": "700"}]) == 1
    assert record_metrics(rows=[day | {"quantity": "70"}, {**day, "day": "2026-05-03", "quantity": "0"}]) == 2
    (may,) = unit_costs("orders")
    assert (may.quantity, may.days, may.cost) == (70, 2, Decimal("7.0000007"))
    assert may.unit_cost == Decimal("7.0000007") / 70


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"metric": "", "day": "2026-05-02", "quantity": "1"}, "metric"),
        ({"metric": "a", "day": "2 May", "quantity": "1"}, "day"),
        ({"metric": "a", "day": "2026-05-02", "quantity": "-1"}, "quantity"),
        ({"metric": "a", "day": "2026-05-02", "quantity": "NaN"}, "quantity"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_set(in_tenant: Tenant, row: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput, match="Row 2") as refused:
        record_metrics(rows=[{"metric": "a", "day": "2026-05-01", "quantity": "1"}, row])
    assert refused.value.field == field
    assert not UnitMetric.objects.exists()


def test_the_pages_show_and_take(tenant: Tenant, users: dict[Role, User]) -> None:
    with acting_as(users[Role.OPERATOR]):
        import_costs(source=io.BytesIO(bill()), name="bill.csv")
    client = browser(users[Role.OPERATOR])
    page = client.get("/costs/allocation/?key=team&from=2026-05-01&to=2026-05-31&shared=platform")
    assert "5.25" in page.content.decode()
    file = SimpleUploadedFile("m.csv", b"metric,day,quantity\norders,2026-05-02,70\n")
    assert client.post("/costs/units/", {"file": file}).status_code == 302
    assert "0.1000" in client.get("/costs/units/?metric=orders").content.decode()
    wrong = SimpleUploadedFile("m.csv", b"metric,day\norders,2026-05-02\n")
    assert client.post("/costs/units/", {"file": wrong}).status_code == 422


def test_the_api_takes_quantities_and_gives_the_allocation(tenant: Tenant, users: dict[Role, User]) -> None:
    with acting_as(users[Role.OPERATOR]):
        import_costs(source=io.BytesIO(bill()), name="bill.csv")
    client = browser(users[Role.OPERATOR])
    rows = {"rows": [{"metric": "orders", "day": "2026-05-02", "quantity": "70"}]}
    answer = client.post("/api/v1/costs/metrics/", rows, content_type="application/json")
    assert (answer.status_code, answer.json()) == (201, {"recorded": 1})
    found = client.get("/api/v1/costs/allocation/?key=team&from=2026-05-01&to=2026-05-31").json()
    assert Decimal(found["total"]) == Decimal("7.0000007")
    assert client.get("/api/v1/costs/allocation/?split=odd").status_code == 400
