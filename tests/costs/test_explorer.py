"""The explorer: its numbers are the file's, in every grouping, grain and export; wrong questions are told."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.costs.explorer import OTHER, ask, question_of
from apps.costs.models import CostSettings
from apps.costs.services.importing import import_costs
from apps.costs.services.rollups import check_sums
from apps.costs.services.settings import change_settings
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.costs import focus_csv, focus_row
from tests.fixtures.estate import acting_as

pytestmark = pytest.mark.django_db


def rows() -> list[dict[str, str]]:
    """Sixty days of two services, three accounts, two teams; sums known."""
    made = []
    for n in range(60):
        day = f"2026-{4 + n // 30:02}-{n % 30 + 1:02}"
        made.append(
            focus_row(
                n,
                ServiceName=("EC2", "S3")[n % 2],
                SubAccountId=f"acc-{n % 3}",
                SubAccountName=f"Account {n % 3}",
                RegionId="" if n % 5 == 0 else "eu-west-1",
                BilledCost=f"{n}.000000000{n % 10}",
                EffectiveCost="1",
                BillingPeriodStart=f"{day[:7]}-01",
                ChargePeriodStart=day,
                Tags="{}" if n % 4 == 0 else f'{{"team": "{("red", "blue")[n % 2]}"}}',
            )
        )
    return made


TOTAL = sum((Decimal(row["BilledCost"]) for row in rows()), Decimal(0))
ALL = {"from": ["2026-04-01"], "to": ["2026-05-31"]}


@pytest.fixture
def costs(in_tenant: Tenant) -> Tenant:
    import_costs(source=io.BytesIO(focus_csv(rows())), name="bill.csv")
    return in_tenant


@pytest.mark.parametrize("group", ["service", "account", "region", "provider", "category", "tag:team"])
@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_every_grouping_adds_up_to_the_file(costs: Tenant, group: str, grain: str) -> None:
    answer = ask(question_of({**ALL, "group": [group], "grain": [grain]}))
    assert answer.total == TOTAL
    assert sum(answer.totals) == sum(line.total for line in answer.lines) == TOTAL
    assert all(len(line.amounts) == len(answer.buckets) for line in answer.lines)


def test_filters_narrow_and_what_is_not_shown_is_one_line(costs: Tenant) -> None:
    wanted = sum(
        Decimal(r["BilledCost"]) for r in rows() if r["ServiceName"] == "S3" and "red" not in r["Tags"]
    )
    assert ask(question_of({**ALL, "service": ["S3"]})).total == wanted
    untagged = ask(question_of({**ALL, "tag": ["team="]}))
    assert untagged.total == sum(Decimal(r["BilledCost"]) for r in rows() if r["Tags"] == "{}")
    answer = ask(question_of({**ALL, "group": ["account"]}), shown=1)
    assert [line.name for line in answer.lines][1:] == [OTHER]
    assert answer.total == TOTAL


def test_a_period_is_compared_with_the_one_before(costs: Tenant) -> None:
    answer = ask(question_of({"from": ["2026-05-01"], "to": ["2026-05-30"], "compare": ["previous"]}))
    april = sum(Decimal(r["BilledCost"]) for r in rows() if r["ChargePeriodStart"] < "2026-05")
    assert answer.before == april
    assert sum(line.before or 0 for line in answer.lines) == april


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"group": "planet"}, "group"),
        ({"grain": "hour"}, "grain"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "from"),
        ({"from": "2001-01-01", "to": "2026-05-01"}, "from"),
        ({"tag": "team"}, "tag"),
        ({"tag": "nope=x"}, "tag"),
        ({"group": "tag:team", "region": "eu-west-1"}, "tag"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_question_names_its_parameter(costs: Tenant, params: dict[str, str], field: str) -> None:
    from apps.core.errors import InvalidInput

    with pytest.raises(InvalidInput) as refused:
        question_of({name: [value] for name, value in params.items()})
    assert refused.value.field == field


def test_choosing_other_tag_keys_and_currency_makes_every_sum_again(costs: Tenant) -> None:
    import_costs(
        source=io.BytesIO(
            focus_csv([focus_row(1, BillingCurrency="EUR", BillingAccountId="x", Tags='{"cost": "a"}')])
        ),
        name="euro.csv",
    )
    change_settings(tag_keys=["cost", "team"], currency="EUR")
    settings = CostSettings.objects.get()
    assert check_sums(settings) == []
    answer = ask(question_of({**ALL, "group": ["tag:cost"]}))
    assert (answer.total, answer.currency) == (Decimal("1.00"), "EUR")
    assert answer.others == {"USD": TOTAL}


@pytest.fixture
def client(tenant: Tenant, users: dict[Role, User]) -> Client:
    with acting_as(users[Role.OPERATOR]):
        import_costs(source=io.BytesIO(focus_csv(rows())), name="bill.csv")
    return browser(users[Role.OPERATOR])


def test_the_page_shows_the_exact_total(client: Client) -> None:
    page = client.get("/costs/?from=2026-04-01&to=2026-05-31&group=account").content.decode()
    assert f"<code data-total>{TOTAL}</code>" in page
    assert "Account 1" in page


def test_a_wrong_address_is_told_and_not_ignored(client: Client) -> None:
    response = client.get("/costs/?group=planet")
    assert response.status_code == 400
    assert "group is one of" in response.content.decode()


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_the_export_holds_every_group_and_adds_up(client: Client, format_: str) -> None:
    response = client.get(f"/costs/?from=2026-04-01&to=2026-05-31&group=account&export={format_}")
    text = response.content.decode()
    found: list[dict[str, Any]] = (
        list(csv.DictReader(io.StringIO(text))) if format_ == "csv" else json.loads(text)
    )
    assert sum(Decimal(row["amount"]) for row in found) == TOTAL
    assert {row["group"] for row in found} == {"acc-0", "acc-1", "acc-2"}


def test_the_api_answers_with_the_same_numbers(client: Client) -> None:
    answer = client.get("/api/v1/costs/explorer/?from=2026-04-01&to=2026-05-31&group=tag:team").json()
    assert Decimal(answer["total"]) == TOTAL
    assert {line["name"] for line in answer["lines"]} == {"red", "blue", "(none)"}


@pytest.mark.parametrize(
    "path", ["/costs/days/", "/costs/periods/", "/costs/forecast/", "/costs/anomalies/", "/costs/budgets/"]
)
def test_the_other_pages_are_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200
