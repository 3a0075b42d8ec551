"""A FOCUS file through the cost import beside COPY of the same rows into the same table.

Ours is everything from the file's bytes on: reading, checking, digests, comparing, lines, series and rollups.
Theirs is COPY of what ours wrote, as the superuser, into a table with the same columns, indexes and foreign key. The sums
of both are to be the same to the last digit.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg

from apps.core.context import Actor, tenant_scope
from apps.costs.services.importing import import_costs
from benchmarks.frame import Bench, Row, at_least, spell, took
from benchmarks.loading import make_twin

SECONDS = 400
START = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
COLUMNS = [
    "ServiceProviderName",
    "HostProviderName",
    "InvoiceIssuerName",
    "InvoiceId",
    "BillingAccountId",
    "BillingAccountName",
    "SubAccountId",
    "SubAccountName",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "ListUnitPrice",
    "ContractedUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "BillingCurrency",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ServiceName",
    "ServiceCategory",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "RegionId",
    "RegionName",
    "AvailabilityZone",
    "CommitmentDiscountId",
    "CommitmentDiscountStatus",
    "Tags",
]


def write_focus(path: Path, rows: int) -> None:
    """A month of 60 services, 20 accounts, 4 regions and 20,000 resources, by the hour."""
    rnd = random.Random(7)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for _ in range(rows):
            hour = START + dt.timedelta(hours=rnd.randrange(744))
            resource, cost = rnd.randrange(20_000), f"{rnd.random() * 3:.10f}"
            service, account, region = resource % 60, resource % 20, resource % 4
            quantity = f"{rnd.random() * 9:.4f}"
            writer.writerow(
                [
                    "AWS", "AWS", "AWS", "INV-1", "100000000001", "Payer", f"2000000000{account:02}", f"team-{account}",
                    "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", hour.isoformat(),
                    (hour + dt.timedelta(hours=1)).isoformat(), "Usage", "", f"Usage of service {service}",
                    "Usage-Based", cost, cost, cost, cost, "0.0960000000", "0.0960000000", "Standard", quantity,
                    "Hours", "USD", quantity, "Hours", f"Service {service}", "Compute", "Virtual Machines",
                    f"SKU-{service}", "Compute", f"SPRICE-{service}",
                    f"arn:aws:ec2:eu-west-{region}:2000000000{account:02}:instance/i-{resource:08x}", f"web-{resource}",
                    "Instance", f"eu-west-{region}", f"Europe {region}", f"eu-west-{region}a", "", "",
                    f'{{"team":"team-{account}","env":"{("prod", "dev")[resource % 2]}"}}',
                ]
            )  # fmt: skip


def run(bench: Bench) -> Iterator[Row]:
    rows = bench.size(1_000_000, 50_000)
    tenant_id = bench.tenant().pk
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "focus.csv"
        write_focus(path, rows)
        megabytes = path.stat().st_size / 1e6
        with tenant_scope(tenant_id, Actor.system("bench")):
            first, imported = took(lambda: import_costs(source=path, name="focus.csv"))
            if imported.rows_written != rows:
                raise AssertionError(f"{imported.rows_written} of {rows} rows were written")
            again, second = took(lambda: import_costs(source=path, name="focus.csv"))
            if second.rows_unchanged != rows:
                raise AssertionError("the same file again changed something")
    with bench.superuser() as superuser:
        copied = _copy(superuser, Path(tempfile.gettempdir()) / "costs-bench.copy")
    yield at_least(
        0.4, f"import of {rows:,} FOCUS rows ({megabytes:.0f} MB) against COPY of them", first, copied
    )
    yield Row("the same file again, which changes nothing", spell(again), spell(first), again / first)


def _copy(superuser: psycopg.Connection, path: Path) -> float:
    """Seconds of COPY of all lines into a table like cost_lines; the sums are compared."""
    with path.open("wb") as file, superuser.cursor().copy("COPY cost_lines TO STDOUT") as out:
        for block in out:
            file.write(block)
    make_twin(superuser, "cost_lines", "cost_lines_copied")
    superuser.execute("CHECKPOINT")

    def copy() -> None:
        with path.open("rb") as file, superuser.cursor().copy("COPY cost_lines_copied FROM STDIN") as into:
            while block := file.read(1024 * 1024):
                into.write(block)

    seconds, _ = took(copy)
    path.unlink()
    sums = [
        superuser.execute(f"SELECT {what}").fetchone()[0]  # type: ignore[index]
        for what in (
            "sum(billed_cost) FROM cost_lines",
            "sum(billed_cost) FROM cost_lines_copied",
            "sum(amount) FROM cost_timeseries",
            "sum(billed) FROM cost_rollups",
        )
    ]
    if len(set(map(Decimal, sums))) != 1:
        raise AssertionError(f"the sums differ: {sums}")
    return seconds
