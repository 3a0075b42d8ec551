"""A resource with all that is known of it in one place."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.actions.models import Action, ActionTarget
from apps.catalog.models import Resource
from apps.costs.models import CostAnomaly
from apps.costs.of_resource import costs_of_resource
from apps.costs.services.importing import import_costs
from apps.findings.models import Recommendation
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.costs import focus_csv, focus_row
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_resource

pytestmark = pytest.mark.django_db


def charge(number: int, day: str, cost: str, **cells: str) -> dict[str, str]:
    start, end = f"2026-{day}T00:00:00Z", f"2026-{day}T23:00:00Z"
    month = f"2026-{day[:2]}-01T00:00:00Z"
    return focus_row(
        number, ChargePeriodStart=start, ChargePeriodEnd=end, BilledCost=cost, EffectiveCost=cost,
        BillingPeriodStart=month, **cells,
    )  # fmt: skip


def bill(user: User) -> tuple[Resource, Resource]:
    """Two resources and what they cost: the first with two services, and something in the days before."""
    with acting_as(user):
        ours, other = make_resource(1, native_id="r-1"), make_resource(2, native_id="r-2")
        rows = [
            charge(1, "05-20", "10.005"),
            charge(1, "05-21", "2.5", ServiceName="Data transfer"),
            charge(1, "04-15", "20.25"),
            charge(1, "02-01", "99"),
            charge(2, "05-31", "7"),
        ]
        import_costs(source=io.BytesIO(focus_csv(rows)), name="bill.csv")
    return ours, other


def test_costs_of_a_resource_are_of_thirty_days_and_exact(users: dict[Role, User]) -> None:
    ours, other = bill(users[Role.ADMIN])
    with acting_as(users[Role.VIEWER]):
        costs = costs_of_resource(ours.pk)
        assert costs is not None
        assert (str(costs.first_day), str(costs.last_day), costs.currency) == (
            "2026-05-02",
            "2026-05-31",
            "USD",
        )
        assert (costs.amount, costs.before) == (Decimal("12.505"), Decimal("20.25"))
        assert costs.services == [("Amazon EC2", Decimal("10.005")), ("Data transfer", Decimal("2.5"))]
        assert costs_of_resource(other.pk).before == 0  # type: ignore[union-attr]
        assert costs_of_resource("r-nobody") is None


def test_the_page_shows_costs_recommendations_and_actions(users: dict[Role, User]) -> None:
    ours, other = bill(users[Role.ADMIN])
    with acting_as(users[Role.ADMIN]):
        action = Action.objects.create(type="aws.tag", status="preflight", requested_by=users[Role.ADMIN])
        ActionTarget.objects.create(action=action, ordinal=1, resource_id=ours.pk, note="waits")
        row = {"kind": "cost", "severity": "low", "resource_id": ours.pk, "currency": "USD"}
        Recommendation.objects.create(title="Make it smaller", savings=Decimal("3.5"), **row)
        Recommendation.objects.create(title="No longer said", status="gone", **row)
    client = browser(users[Role.VIEWER])
    text = client.get(reverse("catalog:resource-detail", args=[ours.pk])).content.decode()
    for shown in (
        "12.51 USD",
        "7.75 USD less than",
        "Data transfer",
        "Make it smaller",
        "3.50 USD a month",
        "waits",
    ):
        assert shown in text, shown
    assert "No longer said" not in text
    assert reverse("actions:action-detail", args=[action.pk]) in text
    text = client.get(reverse("catalog:resource-detail", args=[other.pk])).content.decode()
    assert "Nothing is recommended" in text
    assert "Make it smaller" not in text


def test_many_rows_cost_no_more_queries_than_one(users: dict[Role, User]) -> None:
    ours, _ = bill(users[Role.ADMIN])
    client = browser(users[Role.VIEWER])
    address = reverse("catalog:resource-detail", args=[ours.pk])

    def fill(numbers: range) -> None:
        with acting_as(users[Role.ADMIN]):
            for n in numbers:
                action = Action.objects.create(
                    type="aws.tag", status="preflight", requested_by=users[Role.ADMIN]
                )
                ActionTarget.objects.create(action=action, ordinal=1, resource_id=ours.pk)
                Recommendation.objects.create(title=f"t{n}", kind="cost", severity="low", resource_id=ours.pk)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert client.get(address).status_code == 200
        return len(caught)

    fill(range(1))
    few = queries()
    fill(range(1, 60))
    assert queries() == few
    text = client.get(address).content.decode()
    assert text.count("All of them") == 2
    assert "t59" in text or "t1" in text


def test_recommendations_in_order_of_what_they_save_and_by_a_least_amount(users: dict[Role, User]) -> None:
    with acting_as(users[Role.ADMIN]):
        for title, savings in (("small", "1.5"), ("none", None), ("large", "1000"), ("middle", "30.25")):
            Recommendation.objects.create(
                title=title, kind="cost", severity="low", savings=savings and Decimal(savings)
            )
    client = browser(users[Role.VIEWER])

    def titles(query: str) -> list[str]:
        text = client.get(f"/recommendations/?export=csv&{query}")
        lines = b"".join(text.streaming_content).decode() if text.streaming else text.content.decode()  # type: ignore[attr-defined]
        return [line.split(",")[0] for line in lines.splitlines()[1:]]

    assert titles("sort=savings") == ["large", "middle", "small", "none"]
    assert titles("sort=savings&least=1.51") == ["large", "middle"]
    assert client.get("/recommendations/?least=-1").status_code == 400
    assert client.get("/recommendations/?least=NaN").status_code == 400


def test_anomalies_by_a_least_difference_up_or_down(users: dict[Role, User]) -> None:
    with acting_as(users[Role.ADMIN]):
        for service, impact in (("up", "50"), ("down", "-50.01"), ("little", "49.99")):
            CostAnomaly.objects.create(
                service=service, first_day="2026-01-01", last_day="2026-01-02", expected=1, actual=2,
                impact=Decimal(impact),
            )  # fmt: skip
    client = browser(users[Role.VIEWER])
    text = client.get("/costs/anomalies/?least=50").content.decode()
    assert ">up<" in text
    assert ">down<" in text
    assert ">little<" not in text
