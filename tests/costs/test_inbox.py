"""Anomalies from lines to the inbox: the right cause first, people's words, restatement, and budgets."""

from __future__ import annotations

import datetime as dt
import io
import random
from decimal import Decimal

import pytest

from apps.audit.models import Audit
from apps.core.context import Actor, tenant_transaction
from apps.core.errors import IllegalTransition, InvalidInput
from apps.costs.models import Budget, BudgetAlert, CostAnomaly, CostAnomalyEvent
from apps.costs.services.anomalies import decide_anomaly
from apps.costs.services.budgets import check_budgets, create_budget, period_of, spent_of, standing
from apps.costs.services.detecting import detect_anomalies
from apps.costs.services.importing import import_costs
from apps.notices.models import Notice
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.costs import focus_csv, focus_row

pytestmark = pytest.mark.django_db
START = dt.date(2026, 1, 1)
DAYS = 90
TODAY = START + dt.timedelta(days=DAYS + 2)
SPIKE = START + dt.timedelta(days=80)


def bill(spike: str = "1", days: int = DAYS) -> bytes:
    """Three resources a day; on SPIKE the second one costs `spike` times as much."""
    rnd = random.Random(1)
    rows = []
    for n in range(days):
        day = START + dt.timedelta(days=n)
        for resource, price in (("web", 40), ("db", 30), ("cache", 20)):
            amount = Decimal(repr(round(price * rnd.lognormvariate(0, 0.02), 6)))
            if day == SPIKE and resource == "db":
                amount *= Decimal(spike)
            rows.append(
                focus_row(
                    n,
                    ResourceId=f"r-{resource}",
                    ResourceName=resource,
                    SubAccountId="prod" if resource != "cache" else "dev",
                    BilledCost=amount,
                    BillingPeriodStart=day.replace(day=1),
                    ChargePeriodStart=day,
                    ChargePeriodEnd=day + dt.timedelta(days=1),
                    Tags=f'{{"team": "{"blue" if resource == "db" else "red"}"}}',
                )
            )
    return focus_csv(rows)


def take_in(raw: bytes) -> None:
    import_costs(source=io.BytesIO(raw), name="bill.csv")
    detect_anomalies(today=TODAY)


def test_a_planted_spike_comes_into_the_inbox_with_its_cause_first(in_tenant: Tenant) -> None:
    take_in(bill("4"))
    anomaly = CostAnomaly.objects.get()
    assert (anomaly.service, anomaly.first_day, anomaly.last_day, anomaly.status) == (
        "Amazon EC2",
        SPIKE,
        SPIKE,
        "open",
    )
    first = anomaly.causes[0]
    assert (first["dimension"], first["value"], first["label"]) == ("resource", "r-db", "db")
    assert Decimal("0.9") < Decimal(first["share"]) < Decimal("1.1")
    assert anomaly.impact == anomaly.actual - anomaly.expected
    assert CostAnomalyEvent.objects.get().to_status == "open"


def test_looking_again_changes_nothing(in_tenant: Tenant) -> None:
    take_in(bill("4"))
    before = list(CostAnomaly.objects.values())
    assert detect_anomalies(today=TODAY).summary()["anomalies_changed"] == 0
    assert list(CostAnomaly.objects.values()) == before


def test_a_quiet_bill_raises_nothing(in_tenant: Tenant) -> None:
    take_in(bill())
    assert not CostAnomaly.objects.exists()


def test_a_restatement_withdraws_it_and_another_one_brings_it_back(in_tenant: Tenant) -> None:
    take_in(bill("4"))
    take_in(bill())
    anomaly = CostAnomaly.objects.get()
    assert anomaly.status == "withdrawn"
    take_in(bill("4"))
    anomaly.refresh_from_db()
    assert anomaly.status == "open"
    assert CostAnomaly.objects.count() == 1


def test_what_somebody_decided_stays_decided_when_it_is_scored_again(in_tenant: Tenant) -> None:
    take_in(bill("4"))
    decide_anomaly(anomaly=CostAnomaly.objects.get(), status="expected", reason="load test")
    take_in(bill("5"))
    anomaly = CostAnomaly.objects.get()
    assert (anomaly.status, anomaly.reason) == ("expected", "load test")
    assert Audit.objects.filter(action="costs.anomaly.rescored").exists()


def test_the_last_incomplete_days_are_left_out(in_tenant: Tenant) -> None:
    import_costs(source=io.BytesIO(bill("4")), name="bill.csv")
    detect_anomalies(today=SPIKE + dt.timedelta(days=1))
    assert not CostAnomaly.objects.exists()
    detect_anomalies(today=SPIKE + dt.timedelta(days=2))
    assert CostAnomaly.objects.get().first_day == SPIKE


def test_dismissing_takes_a_reason_and_leaves_an_event_and_an_audit_row(in_tenant: Tenant) -> None:
    take_in(bill("4"))
    anomaly = CostAnomaly.objects.get()
    with pytest.raises(InvalidInput) as refused:
        decide_anomaly(anomaly=anomaly, status="dismissed")
    assert refused.value.field == "reason"
    decide_anomaly(anomaly=anomaly, status="dismissed", reason="known")
    assert [e.to_status for e in anomaly.events.order_by("id")] == ["open", "dismissed"]
    assert Audit.objects.filter(action="costs.anomaly.dismissed").count() == 1
    with pytest.raises(IllegalTransition):
        decide_anomaly(anomaly=anomaly, status="acknowledged")


def test_a_new_anomaly_is_told_once(tenant: Tenant, users: dict[Role, User]) -> None:
    with tenant_transaction(tenant.id, Actor.system("test")):
        User.objects.filter(role="operator").update(email="olga@example.org")
        take_in(bill("4"))
        take_in(bill("4.1"))
        assert Notice.objects.filter(code="costs.anomaly").count() == 1


def test_a_budget_alerts_each_threshold_once_a_period(in_tenant: Tenant) -> None:
    import_costs(source=io.BytesIO(bill()), name="bill.csv")
    budget = create_budget(name="db", amount=Decimal(500), scope="tag", scope_key="team", scope_value="blue")
    day = dt.date(2026, 2, 28)
    now = standing(budget, day)
    assert (now.start, now.end) == (dt.date(2026, 2, 1), dt.date(2026, 3, 1))
    assert Decimal(800) < now.spent < Decimal(880)
    assert spent_of([budget], day) == {budget.pk: now.spent}
    assert check_budgets(today=day) == 2
    assert check_budgets(today=day) == 0
    assert sorted(BudgetAlert.objects.values_list("kind", "threshold")) == [("actual", 80), ("actual", 100)]
    assert Audit.objects.filter(action="costs.budget.alerted").count() == 2


def test_a_forecast_over_the_budget_is_told_before_it_is_spent(in_tenant: Tenant) -> None:
    import_costs(source=io.BytesIO(bill(days=70)), name="bill.csv")
    create_budget(name="all", amount=Decimal(2000), thresholds=[100])
    day = START + dt.timedelta(days=70)
    assert check_budgets(today=day) == 1
    assert BudgetAlert.objects.get().kind == "forecast"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"scope": "planet"}, "scope"),
        ({"scope": "service"}, "scope_value"),
        ({"scope": "tag", "scope_key": "nope", "scope_value": "x"}, "scope_key"),
        ({"thresholds": [0]}, "thresholds"),
        ({"period": "day"}, "period"),
    ],
)
def test_a_wrong_budget_names_the_field(in_tenant: Tenant, changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_budget(**({"name": "n", "amount": Decimal(1)} | changes))  # type: ignore[arg-type]
    assert refused.value.field == field
    assert not Budget.objects.exists()


def test_periods_are_calendar_periods() -> None:
    day = dt.date(2026, 11, 25)
    assert period_of("month", day) == (dt.date(2026, 11, 1), dt.date(2026, 12, 1))
    assert period_of("quarter", day) == (dt.date(2026, 10, 1), dt.date(2027, 1, 1))
    assert period_of("year", day) == (dt.date(2026, 1, 1), dt.date(2027, 1, 1))
