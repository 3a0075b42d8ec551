"""The sample estate's bill as a FOCUS 1.2 file, for imports that go the way of a real one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from apps.connectors.sample.costs import costs

COLUMNS = (
    "ProviderName",
    "PublisherName",
    "BillingAccountId",
    "BillingAccountName",
    "SubAccountId",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeDescription",
    "ChargeFrequency",
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "ServiceName",
    "ServiceCategory",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "RegionId",
    "Tags",
)
_PROVIDERS = {"aws": "AWS", "azure": "Microsoft", "gcp": "Google Cloud", "ibm": "IBM"}
_CATEGORIES = (
    ("Databases", ("sql", "rds", "postgresql", "database")),
    ("Storage", ("disk", "storage", "ebs", "s3", "bucket")),
    ("Containers", ("kubernetes", "cluster")),
)


def focus_lines(seed: int, days: int, until: date | None = None) -> Iterator[str]:
    """The lines of the file, the header first; the charges are those of `costs` with the same arguments."""
    yield _row(COLUMNS)
    for line in costs(seed, days, until):
        yield _row(_cells(line))


def _cells(line: dict[str, Any]) -> list[str]:
    day = date.fromisoformat(line["day"])
    first = day.replace(day=1)
    provider = _PROVIDERS[line["provider"]]
    return [
        provider,
        provider,
        f"billing-{line['provider']}",
        f"Main account at {provider}",
        str(line["account"] or ""),
        first.isoformat(),
        (first + timedelta(days=32)).replace(day=1).isoformat(),
        f"{day.isoformat()}T00:00:00Z",
        f"{(day + timedelta(days=1)).isoformat()}T00:00:00Z",
        "Usage",
        f"{line['service']}, a day",
        "Usage-Based",
        str(line["amount"]),
        str(line["amount"]),
        line["currency"],
        line["service"],
        _category(line["service"]),
        line["resource_id"],
        line["resource_name"],
        line["type"],
        line["region"] or "",
        json.dumps(line["tags"], sort_keys=True),
    ]


def _category(service: str) -> str:
    low = service.lower()
    return next((name for name, words in _CATEGORIES if any(word in low for word in words)), "Compute")


def _row(cells: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
