"""Cost import: exact sums, good rows land, the same file changes nothing, a restated month nets out."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterable
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum

from apps.audit.models import Audit
from apps.catalog.models import ImportRefusal, ImportRun
from apps.connectors.billing import read
from apps.core.errors import InvalidInput
from apps.costs.models import CostDay, CostLine, CostPeriod, CostRollup, CostSettings, CostTagRollup
from apps.costs.services.importing import import_costs
from apps.costs.services.rollups import check_sums
from apps.tenancy.models import Tenant
from tests.fixtures.costs import focus_csv, focus_row
from tests.fixtures.rows import make_resource

pytestmark = pytest.mark.django_db
CORPORA = Path(os.environ.get("CORPORA_DIR", Path(__file__).parents[3] / "shared" / "corpora")) / "cost"
EXACT = Context(prec=400)

# Each public file with the columns that its billed cost is the sum of.
LANDING = {
    "focus_1.0_real_anonymised_1000.csv": ["BilledCost"],
    "generated/focus_1_2_cost_and_usage_aws.csv": ["BilledCost"],
    "generated/focus_1_2_cost_and_usage_azure.csv": ["BilledCost"],
    "generated/focus_1_3_cost_and_usage_aws.csv": ["BilledCost"],
    "generated/focus_1_3_cost_and_usage_gcp.csv": ["BilledCost"],
    "native/aws_cur_legacy_nise.csv": ["lineItem/UnblendedCost"],
    "native/azure_EA_AmortizedCost_Small.csv": ["Cost"],
    "native/azure_costdetails_nise.csv": ["CostInBillingCurrency"],
    "native/gcp_billing_export_nise.csv": ["cost"],
}


def corpus(name: str) -> Path:
    path = CORPORA / name
    if not path.exists():
        pytest.skip(f"the corpus is not here: {name}")
    return path


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def import_bytes(raw: bytes, format: str | None = None) -> ImportRun:
    return import_costs(source=io.BytesIO(raw), name="bill.csv", format=format)


def counts(run: ImportRun) -> tuple[int, int, int, int]:
    return (run.rows_read, run.rows_written, run.rows_unchanged, run.rows_refused)


def refusals(run: ImportRun) -> list[tuple[int | None, str, str]]:
    return [(r.line, r.field, r.reason) for r in ImportRefusal.objects.filter(run=run).order_by("pk")]


def billed() -> Decimal:
    return CostLine.objects.aggregate(total=Sum("billed_cost"))["total"] or Decimal(0)


def series_total() -> Decimal:
    return CostDay.objects.aggregate(total=Sum("amount"))["total"] or Decimal(0)


def state() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values())
        for model in (CostLine, CostDay, CostRollup, CostTagRollup, CostPeriod, CostSettings)
    ]


def assert_sums_hold() -> None:
    assert check_sums(CostSettings.objects.get()) == []


@pytest.mark.parametrize("name", sorted(LANDING))
def test_a_public_file_lands_to_the_last_digit_and_twice_changes_nothing(
    in_tenant: Tenant, name: str
) -> None:
    path = corpus(name)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    own = exact_sum(Decimal(row[column] or 0) for row in rows for column in LANDING[name])
    first = import_costs(source=path, name=name)
    assert counts(first) == (len(rows), len(rows), 0, 0)
    assert billed() == own
    assert series_total() == own
    assert_sums_hold()
    before = state()
    second = import_costs(source=path, name=name)
    assert counts(second) == (len(rows), 0, len(rows), 0)
    assert state() == before


@pytest.mark.parametrize(
    "path", sorted(CORPORA.rglob("*.*")) if CORPORA.exists() else [], ids=lambda p: p.name
)
def test_every_public_file_lands_or_is_refused_with_a_reason(in_tenant: Tenant, path: Path) -> None:
    run = import_costs(source=path, name=path.name)
    assert run.rows_read == run.rows_written + run.rows_refused > 0
    assert all(reason and line for line, _, reason in refusals(run))


def test_a_file_of_commitments_is_told_as_such(in_tenant: Tenant) -> None:
    run = import_costs(source=corpus("generated/focus_1_3_contract_commitment_aws.csv"), name="c.csv")
    ((line, _, reason),) = refusals(run)
    assert line == 1
    assert "Contract Commitment" in reason
    assert "Cost and Usage" in reason


def test_a_restated_month_replaces_the_old_one_and_says_what_changed(in_tenant: Tenant) -> None:
    first = [
        focus_row(n, BilledCost="1.10", ChargePeriodStart=f"2026-05-{n:02}T00:00:00Z") for n in range(1, 5)
    ]
    import_bytes(focus_csv(first))
    assert billed() == Decimal("4.40")
    restated = [*first[:2], {**first[2], "BilledCost": "0.10"}]
    run = import_bytes(focus_csv(restated))
    assert counts(run) == (3, 1, 2, 0)
    assert billed() == series_total() == Decimal("2.30")
    assert_sums_hold()
    (period,) = run.summary["periods"]
    assert (period["lines_added"], period["lines_removed"], period["revision"]) == (1, 2, 2)
    assert period["billed_before"] == {"USD": "4.40"}
    assert period["billed"] == {"USD": "2.30"}
    assert Audit.objects.get(action="costs.period.restated").payload["billed"] == {"USD": "2.30"}


def test_a_delivery_touches_no_other_account_or_month(in_tenant: Tenant) -> None:
    import_bytes(focus_csv([focus_row(1), focus_row(2, BillingAccountId="other")]))
    june = focus_row(3, BillingPeriodStart="2026-06-01T00:00:00Z", ChargePeriodStart="2026-06-02T00:00:00Z")
    import_bytes(focus_csv([june]))
    import_bytes(focus_csv([focus_row(4)]))
    assert sorted(CostLine.objects.values_list("resource_native_id", flat=True)) == ["r-2", "r-3", "r-4"]
    assert_sums_hold()


def test_a_correction_nets(in_tenant: Tenant) -> None:
    charge = focus_row(1, BilledCost="12.000000000001")
    correction = focus_row(1, BilledCost="-12.000000000001", ChargeClass="Correction")
    import_bytes(focus_csv([charge, correction]))
    assert billed() == 0
    assert CostDay.objects.get().amount == 0
    assert CostLine.objects.count() == 2


def test_equal_charges_are_both_kept_and_one_less_is_a_restatement(in_tenant: Tenant) -> None:
    run = import_bytes(focus_csv([focus_row(1)] * 3))
    assert counts(run) == (3, 3, 0, 0)
    assert counts(import_bytes(focus_csv([focus_row(1)] * 3))) == (3, 0, 3, 0)
    assert counts(import_bytes(focus_csv([focus_row(1)] * 2))) == (2, 0, 2, 0)
    assert CostLine.objects.count() == 2
    assert_sums_hold()


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("BilledCost", "1,234.50", "decimal"),
        ("BilledCost", "NaN", "missing"),
        ("BilledCost", "", "missing"),
        ("BilledCost", "Infinity", "decimal"),
        ("EffectiveCost", "abc", "decimal"),
        ("ChargePeriodStart", "yesterday", "date"),
        ("ChargePeriodStart", "2026-02-30T00:00:00Z", "date"),
        ("BillingAccountId", "NULL", "missing"),
        ("BillingCurrency", "", "missing"),
        ("ServiceName", " ", "missing"),
        ("Tags", "[1, 2]", "keys"),
        ("Tags", "{broken", "JSON"),
        ("ResourceId", "a\x00b", "NUL"),
    ],
)
def test_a_bad_row_is_named_and_its_neighbours_land(
    in_tenant: Tenant, column: str, cell: str, says: str
) -> None:
    run = import_bytes(focus_csv([focus_row(1), focus_row(2, **{column: cell}), focus_row(3)]))
    assert counts(run) == (3, 2, 0, 1)
    ((line, field, reason),) = refusals(run)
    assert (line, field) == (3, column)
    assert says in reason


def test_a_row_with_too_few_cells_or_bad_utf8_is_refused_alone(in_tenant: Tenant) -> None:
    raw = focus_csv([focus_row(1)]) + b"a,b\n" + focus_csv([focus_row(2)]).split(b"\n", 1)[1]
    raw += focus_csv([focus_row(3, ResourceName="caf\xe9")]).split(b"\n", 1)[1].decode().encode("latin-1")
    run = import_bytes(raw)
    assert (run.rows_written, run.rows_refused) == (2, 2)
    assert [(line, field) for line, field, _ in refusals(run)] == [(3, ""), (5, "ResourceName")]


def test_a_file_that_breaks_off_changes_nothing(in_tenant: Tenant) -> None:
    whole = focus_csv([focus_row(n) for n in range(200)])
    import_bytes(whole)
    before = state()
    packed = gzip.compress(focus_csv([focus_row(n, BilledCost="9") for n in range(5000)]))
    with pytest.raises(InvalidInput, match="breaks off at line"):
        import_bytes(packed[: len(packed) // 2])
    assert state() == before
    assert ImportRun.objects.order_by("-started_at", "-id").first().status == "failed"  # type: ignore[union-attr]


def test_gzip_and_parts_of_one_delivery(in_tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "part-1.csv.gz").write_bytes(gzip.compress(focus_csv([focus_row(1), focus_row(2)])))
    (tmp_path / "part-2.csv").write_bytes(focus_csv([focus_row(3), focus_row(4, BilledCost="x")]))
    run = import_costs(source=tmp_path, name="delivery")
    assert counts(run) == (4, 3, 0, 1)
    assert refusals(run)[0][2].startswith("part-2.csv: ")
    assert CostLine.objects.count() == 3


def test_parquet_lands_like_csv(in_tenant: Tenant, tmp_path: Path) -> None:
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    rows = [focus_row(n, BilledCost=f"0.{n:010}") for n in range(50)]
    columns = {c: Array([row[c] for row in rows], type=DataType.string()) for c in rows[0]}
    columns["BilledCost"] = columns["BilledCost"].cast(DataType.decimal128(20, 10))
    write_parquet(Table.from_pydict(columns), tmp_path / "focus.parquet")
    run = import_costs(source=tmp_path / "focus.parquet", name="focus.parquet")
    assert counts(run) == (50, 50, 0, 0)
    assert billed() == exact_sum(Decimal(row["BilledCost"]) for row in rows)
    assert counts(import_bytes(focus_csv(rows))) == (50, 0, 50, 0)


def test_the_series_has_one_currency_and_the_others_stay_in_the_lines(in_tenant: Tenant) -> None:
    rows = [focus_row(1), focus_row(2), focus_row(3, BillingCurrency="EUR", BilledCost="7")]
    run = import_bytes(focus_csv(rows))
    assert run.summary["series_currency"] == "USD"
    assert series_total() == Decimal("2.00")
    assert CostLine.objects.filter(billing_currency="EUR").get().billed_cost == 7
    assert_sums_hold()


def test_a_charge_of_several_days_falls_on_its_first(in_tenant: Tenant) -> None:
    import_bytes(
        focus_csv([focus_row(1, ChargePeriodStart="2026-05-03T23:30:00-05:00", ChargePeriodEnd="2026-06-01")])
    )
    assert str(CostDay.objects.get().day) == "2026-05-04"


def test_a_line_knows_its_resource_where_the_inventory_has_it(in_tenant: Tenant) -> None:
    instance = make_resource(1, native_id="arn:aws:ec2:eu-west-1:1:instance/i-0abc", type="aws.ec2")
    import_bytes(focus_csv([focus_row(1, ResourceId="i-0abc"), focus_row(2, ResourceId="i-ffff")]))
    found = dict(CostLine.objects.values_list("resource_native_id", "resource_id"))
    assert found == {"i-0abc": instance.pk, "i-ffff": None}


def test_two_tenants_with_the_same_bill_do_not_meet(in_tenant: Tenant, other_tenant: Tenant) -> None:
    from apps.core.context import tenant_transaction

    raw = focus_csv([focus_row(1)])
    import_bytes(raw)
    with tenant_transaction(other_tenant.id):
        assert counts(import_bytes(raw)) == (1, 1, 0, 0)
        import_bytes(focus_csv([focus_row(2, BilledCost="50")]))
    assert billed() == Decimal("1.00")


def test_google_credits_count_against_the_cost(in_tenant: Tenant) -> None:
    raw = (
        b'{"billing_account_id":"B","service":{"description":"Compute Engine"},"sku":{"id":"s","description":"d"},'
        b'"usage_start_time":"2026-05-01 00:00:00 UTC","usage_end_time":"2026-05-01 01:00:00 UTC",'
        b'"project":{"id":"p","labels":[{"key":"team","value":"a"}]},"labels":[{"key":"env","value":"prod"}],'
        b'"cost":10.000000000000000000000000000001,"currency":"USD","invoice":{"month":"202605"},"cost_type":"regular",'
        b'"credits":[{"name":"sud","amount":-3.1},{"name":"free","amount":-0.4}]}\n'
    )
    run = import_bytes(raw)
    assert counts(run) == (1, 1, 0, 0), refusals(run)
    line = CostLine.objects.get()
    assert line.billed_cost == Decimal("6.500000000000000000000000000001")
    assert line.tags == {"team": "a", "env": "prod"}


def test_cur_2_has_the_same_charges_as_the_legacy_report(in_tenant: Tenant) -> None:
    head = (
        "bill_payer_account_id,bill_billing_period_start_date,line_item_usage_account_id,line_item_usage_start_date,"
        "line_item_line_item_type,line_item_unblended_cost,line_item_currency_code,line_item_product_code,product,"
        "savings_plan_savings_plan_effective_cost,resource_tags\n"
    )
    rows = (
        "1,2026-05-01T00:00:00.000Z,2,2026-05-02T03:00:00.000Z,SavingsPlanCoveredUsage,2.5,USD,AmazonEC2,"
        '"{""product_name"":""Amazon Elastic Compute Cloud""}",1.5,"{""user_team"":""a""}"\n'
        "1,2026-05-01T00:00:00.000Z,2,2026-05-02T03:00:00.000Z,SavingsPlanNegation,-2.5,USD,AmazonEC2,,,\n"
    )
    (covered, negation) = list(read(io.BytesIO((head + rows).encode())))
    assert [covered.get(n) for n in ("service_name", "billed_cost", "effective_cost", "tags")] == [  # type: ignore[union-attr]
        "Amazon Elastic Compute Cloud",
        "2.5",
        "1.5",
        '{"team":"a"}',
    ]
    assert [negation.get(n) for n in ("charge_category", "billed_cost", "effective_cost")] == [  # type: ignore[union-attr]
        "Adjustment",
        "-2.5",
        "0",
    ]
