"""AWS Cost and Usage Reports: 2.0 (`line_item_unblended_cost`) and legacy (`lineItem/UnblendedCost`).

Both have the same names once the legacy ones are written in snake case. Billed is the unblended cost. The
effective cost is what a commitment really cost for the hour that it covered; what covers nothing is billed
and effective alike, and the negation of a savings plan's cover is effective nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from apps.connectors.billing.cells import NOTHING, month, number, tags, tags_json, text
from apps.connectors.billing.cells import day as day_of
from apps.connectors.billing.layout import Derive, Layout, Look

_CATEGORIES = {
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Credit",
    "Fee": "Purchase",
    "RIFee": "Purchase",
    "SavingsPlanUpfrontFee": "Purchase",
    "SavingsPlanRecurringFee": "Purchase",
}
# Discounts that a bill states as lines of their own.
_DISCOUNTS = ("Discount", "SavingsPlanNegation")
_TAG_COLUMN = re.compile(r"resourcetags_(user|aws)_(.+)|resource_tags_(user|aws)_(.+)")


@lru_cache(4096)
def normalise(name: str) -> str:
    """`lineItem/UnblendedCost` → `line_item_unblended_cost`; a tag's own name keeps its case."""
    head, slash, rest = name.strip().partition("/")
    if not slash:
        return name.strip().lower() if not name.startswith("resource_tags_") else name.strip()
    if head == "resourceTags":
        return "resource_tags_" + rest.replace(":", "_", 1)
    return f"{_snake(head)}_{_snake(rest)}"


def _snake(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _category(look: Look) -> str | None:
    kind = look("line_item_line_item_type")
    if any(word in kind for word in _DISCOUNTS):
        return "Adjustment"
    return _CATEGORIES.get(kind, "Usage")


def _effective(look: Look) -> str | None:
    kind = look("line_item_line_item_type")
    if kind == "SavingsPlanCoveredUsage":
        return number(look("savings_plan_savings_plan_effective_cost"))
    if kind == "DiscountedUsage":
        return number(look("reservation_effective_cost"))
    if kind in ("SavingsPlanNegation", "SavingsPlanUpfrontFee"):
        return "0"
    if kind in ("RIFee", "SavingsPlanRecurringFee"):
        unused = look("reservation_unused_recurring_fee") if kind == "RIFee" else ""
        return number(unused) or "0"
    return number(look("line_item_unblended_cost"))


def _billing_period(look: Look) -> str | None:
    start = day_of(look("bill_billing_period_start_date"))
    return start or month(look("billing_period"))


def _service(look: Look) -> str | None:
    named = text(look("product_product_name")) or text(_of_map(look("product"), "product_name"))
    return named or text(look("product_servicename")) or text(look("line_item_product_code"))


def _of_map(cell: str, key: str) -> str:
    """A value of CUR 2.0's `product` map, which a CSV holds as JSON."""
    return _map(cell).get(key, "") if cell.startswith("{") else ""


@lru_cache(20_000)
def _map(cell: str) -> Mapping[str, str]:
    try:
        found = json.loads(cell)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _region(look: Look) -> str | None:
    return text(look("product_region_code")) or text(look("product_region"))


def _commitment(look: Look) -> str | None:
    plan = text(look("savings_plan_savings_plan_a_r_n")) or text(look("savings_plan_savings_plan_arn"))
    return plan or text(look("reservation_reservation_a_r_n")) or text(look("reservation_reservation_arn"))


def _tag_columns(header: Sequence[str]) -> Mapping[str, Derive]:
    """Legacy reports have a column for each tag; 2.0 has one map."""
    columns = [(name, _tag_name(name)) for name in header if name.startswith("resource_tags_")]
    if not columns:
        return {"tags": lambda look: _prefixes_off(look("resource_tags"))}

    def collected(look: Look) -> str | None:
        found = {tag: look(name).strip() for name, tag in columns}
        return tags_json({tag: value for tag, value in found.items() if value not in NOTHING})

    return {"tags": collected}


def _tag_name(column: str) -> str:
    name = column.removeprefix("resource_tags_")
    return name.removeprefix("user_") if name.startswith("user_") else name.replace("aws_", "aws:", 1)


@lru_cache(20_000)
def _prefixes_off(cell: str) -> str:
    found = json.loads(tags(cell) or "{}")
    return tags_json({key.removeprefix("user_").removeprefix("user:"): value for key, value in found.items()})


_is_cur: Callable[[frozenset[str]], bool] = lambda header: (  # noqa: E731
    {"line_item_unblended_cost", "line_item_line_item_type"} <= header
)

AWS_CUR = Layout(
    name="aws-cur",
    title="AWS Cost and Usage Report, 2.0 and legacy",
    normalise=normalise,
    recognises=_is_cur,
    constants={"provider": "aws", "service_provider_name": "AWS"},
    columns={
        "billing_account_id": "bill_payer_account_id",
        "billing_account_name": "bill_payer_account_name",
        "sub_account_id": "line_item_usage_account_id",
        "sub_account_name": "line_item_usage_account_name",
        "billing_period_end": "bill_billing_period_end_date",
        "day": "line_item_usage_start_date",
        "charge_period_start": "line_item_usage_start_date",
        "charge_period_end": "line_item_usage_end_date",
        "charge_description": "line_item_line_item_description",
        "service_category": "product_product_family",
        "host_provider_name": "bill_billing_entity",
        "invoice_issuer_name": ("line_item_legal_entity", "bill_invoicing_entity"),
        "invoice_id": "bill_invoice_id",
        "resource_native_id": "line_item_resource_id",
        "region_name": "product_location",
        "availability_zone": "line_item_availability_zone",
        "sku_id": "product_sku",
        "sku_meter": "line_item_usage_type",
        "sku_price_id": "pricing_rate_id",
        "pricing_category": "pricing_term",
        "pricing_unit": "pricing_unit",
        "list_unit_price": "pricing_public_on_demand_rate",
        "contracted_unit_price": "line_item_unblended_rate",
        "consumed_quantity": "line_item_usage_amount",
        "consumed_unit": "pricing_unit",
        "billed_cost": "line_item_unblended_cost",
        "list_cost": "pricing_public_on_demand_cost",
        "billing_currency": "line_item_currency_code",
    },
    derived={
        "billing_period_start": _billing_period,
        "charge_category": _category,
        "service_name": _service,
        "region_id": _region,
        "commitment_discount_id": _commitment,
        "effective_cost": _effective,
    },
    derive_for=_tag_columns,
    needed=(
        ("bill_payer_account_id",),
        ("bill_billing_period_start_date", "billing_period"),
        ("line_item_usage_start_date",),
        ("line_item_unblended_cost",),
        ("line_item_currency_code",),
    ),
)
