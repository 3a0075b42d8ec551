"""What a billing reader hands over: a charge in FOCUS 1.4's columns, as canonical text, exact to the last digit.

No float is made anywhere: an amount stays the text of the file (`4e-07`, `0.00000080000`), checked to be a
decimal number, and becomes `numeric` in the database.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TEXT, DAY, INSTANT, NUMBER, TAGS = "text", "day", "instant", "number", "tags"

# FOCUS 1.4's names in snake case, with our kinds. `provider` is a code of ours (aws, azure, gcp, ibm, or the
# provider's name in lower case); `day` is the UTC day on which the charge period begins.
FIELDS: Final[dict[str, str]] = {
    "provider": TEXT,
    "billing_account_id": TEXT,
    "billing_account_name": TEXT,
    "sub_account_id": TEXT,
    "sub_account_name": TEXT,
    "billing_period_start": DAY,
    "billing_period_end": DAY,
    "day": DAY,
    "charge_period_start": INSTANT,
    "charge_period_end": INSTANT,
    "charge_category": TEXT,
    "charge_class": TEXT,
    "charge_description": TEXT,
    "charge_frequency": TEXT,
    "service_name": TEXT,
    "service_category": TEXT,
    "service_subcategory": TEXT,
    "service_provider_name": TEXT,
    "host_provider_name": TEXT,
    "invoice_issuer_name": TEXT,
    "invoice_id": TEXT,
    "resource_native_id": TEXT,
    "resource_name": TEXT,
    "resource_type": TEXT,
    "region_id": TEXT,
    "region_name": TEXT,
    "availability_zone": TEXT,
    "sku_id": TEXT,
    "sku_meter": TEXT,
    "sku_price_id": TEXT,
    "pricing_category": TEXT,
    "pricing_quantity": NUMBER,
    "pricing_unit": TEXT,
    "list_unit_price": NUMBER,
    "contracted_unit_price": NUMBER,
    "consumed_quantity": NUMBER,
    "consumed_unit": TEXT,
    "commitment_discount_id": TEXT,
    "commitment_discount_name": TEXT,
    "commitment_discount_category": TEXT,
    "commitment_discount_type": TEXT,
    "commitment_discount_status": TEXT,
    "commitment_discount_quantity": NUMBER,
    "commitment_discount_unit": TEXT,
    "capacity_reservation_id": TEXT,
    "capacity_reservation_status": TEXT,
    "allocated_resource_id": TEXT,
    "billed_cost": NUMBER,
    "effective_cost": NUMBER,
    "list_cost": NUMBER,
    "contracted_cost": NUMBER,
    "billing_currency": TEXT,
    "tags": TAGS,
}
NAMES: Final = tuple(FIELDS)
# A charge without one of these is no charge that could be added up, and is refused.
REQUIRED: Final = frozenset(
    {
        "provider",
        "billing_account_id",
        "billing_period_start",
        "day",
        "charge_period_start",
        "charge_category",
        "service_name",
        "billed_cost",
        "billing_currency",
        "tags",
    }
)


class Charge(NamedTuple):
    """One charge: `values` are in the order of NAMES; numbers and times are text that PostgreSQL takes as it is.

    `line` counts from 1, the header included; in a Parquet file it is the row's number.
    """

    line: int
    values: tuple[str | None, ...]

    def get(self, name: str) -> str | None:
        return self.values[NAMES.index(name)]
