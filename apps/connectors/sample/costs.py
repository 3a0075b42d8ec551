"""What the sample estate costs, day by day: a weekly rhythm, growth, noise, and a few things gone wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Any

from apps.connectors.sample.dice import Row
from apps.connectors.sample.estate import estate

_CENT_FRACTION = Decimal("0.0001")
_MEAN_PRICE_SPREAD = 0.6
_RESOURCES = 240
# A type's service as the bill names it, and the usual price of one resource a day, in euros.
_PRICES = {
    "Microsoft.Compute/virtualMachines": ("Virtual Machines", 4.2),
    "Microsoft.Compute/disks": ("Managed Disks", 0.6),
    "Microsoft.Storage/storageAccounts": ("Azure Storage", 1.4),
    "Microsoft.Sql/servers/databases": ("Azure SQL Database", 9.5),
    "Microsoft.ContainerService/managedClusters": ("Azure Kubernetes Service", 14.0),
    "Microsoft.Web/serverFarms": ("Azure App Service", 3.1),
    "Microsoft.DBforPostgreSQL/flexibleServers": ("Azure Database for PostgreSQL", 7.7),
    "aws.ec2": ("Amazon EC2", 3.8),
    "aws.ebs": ("Amazon EBS", 0.5),
    "aws.s3": ("Amazon S3", 1.1),
    "aws.rds": ("Amazon RDS", 8.9),
    "aws.lambda": ("AWS Lambda", 0.4),
    "gcp.instance": ("Compute Engine", 3.5),
    "gcp.bucket": ("Cloud Storage", 0.9),
    "gcp.sql-instance": ("Cloud SQL", 8.1),
    "gcp.gke-cluster": ("Kubernetes Engine", 12.5),
    "ibm.is-instance": ("Virtual Server for VPC", 3.3),
    "ibm.databases-for-postgresql": ("Databases for PostgreSQL", 6.4),
}
_WORKING_HOURS_SERVICES = {
    "Virtual Machines",
    "Amazon EC2",
    "Compute Engine",
    "AWS Lambda",
    "Azure App Service",
}
_WEEKEND_FACTOR = 0.62
_DAILY_GROWTH = 1.0006


@dataclass(frozen=True, slots=True)
class _Mishap:
    """A stretch of days on which one service, or its first resource `alone`, costs more than it should."""

    service: str
    first: int  # days before the last one
    last: int
    factor: float
    creeping: bool = False
    alone: bool = False

    def on(self, service: str, number: int, days_left: int) -> float:
        if service != self.service or not self.last <= days_left <= self.first:
            return 1.0
        if self.alone and number:
            return 1.0
        if not self.creeping:
            return self.factor
        return 1.0 + (self.factor - 1.0) * (self.first - days_left) / max(1, self.first - self.last)


_MISHAPS = (
    _Mishap("Amazon EC2", first=9, last=9, factor=40.0, alone=True),  # a load test that was left running
    _Mishap("Azure Kubernetes Service", first=34, last=0, factor=1.5),  # a node pool that stayed
    _Mishap("Cloud Storage", first=60, last=0, factor=2.2, creeping=True),  # logs that nobody deletes
)


def costs(seed: int, days: int, until: date | None = None) -> Iterator[dict[str, Any]]:
    """Daily lines, the oldest first, with the keys of `_line`.

    The days end with `until` (yesterday, UTC, by default). `day` is an ISO date; `amount` a Decimal of euros
    with four places; the resources are those of `estate(seed, …)`. The same arguments give the same lines.
    """
    last = until or datetime.now(UTC).date() - timedelta(days=1)
    priced = list(_priced(seed, last))
    noise = Random(f"costs {seed}")  # noqa: S311  (a sample, no secret)
    for days_left in range(days - 1, -1, -1):
        day = last - timedelta(days=days_left)
        for row, service, price, number in priced:
            factor = _factor(service, number, day, days_left) * noise.lognormvariate(0, 0.05)
            yield _line(row, service, day, price * factor)


def _priced(seed: int, day: date) -> Iterator[tuple[Row, str, float, int]]:
    """The resources that cost something: each with its service, its own usual price, its number in the service."""
    numbers: dict[str, int] = {}
    spread = Random(f"prices {seed}")  # noqa: S311
    for row in estate(seed, _RESOURCES, day):
        if row["type"] in _PRICES:
            service, price = _PRICES[row["type"]]
            number = numbers[service] = numbers.get(service, -1) + 1
            yield row, service, price * spread.lognormvariate(0, _MEAN_PRICE_SPREAD), number


def _factor(service: str, number: int, day: date, days_left: int) -> float:
    weekend = day.weekday() >= 5 and service in _WORKING_HOURS_SERVICES
    rhythm = _WEEKEND_FACTOR if weekend else 1.0
    mishaps = 1.0
    for mishap in _MISHAPS:
        mishaps *= mishap.on(service, number, days_left)
    return float(rhythm * mishaps / _DAILY_GROWTH**days_left)


def _line(row: Row, service: str, day: date, amount: float) -> dict[str, Any]:
    return {
        "day": day.isoformat(),
        "provider": row["provider"],
        "account": row["account"],
        "service": service,
        "resource_id": row["id"],
        "resource_name": row["name"],
        "type": row["type"],
        "region": row.get("location"),
        "tags": row.get("tags") or {},
        "amount": Decimal(amount).quantize(_CENT_FRACTION, ROUND_HALF_EVEN),
        "currency": "EUR",
    }
