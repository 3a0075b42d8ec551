"""Google Cloud's billing export, standard and detailed, flattened (`service.description`) or as JSON lines.

Billed is the cost plus its credits, which are negative: what the invoice asks for. The billing period is the
invoice's month, in which a correction of an earlier month's usage lands.
"""

from __future__ import annotations

import ast
import json
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from apps.connectors.billing.cells import NOTHING, decimal, month, number, tags, tags_json, text
from apps.connectors.billing.layout import Layout, Look
from apps.connectors.records import Rejected

# Wide enough for any sum of numbers that cells.number lets through: the default of 28 digits would round.
_EXACT = Context(prec=400)
_CATEGORIES = {"regular": "Usage", "tax": "Tax", "adjustment": "Adjustment", "rounding_error": "Adjustment"}


def normalise(name: str) -> str:
    return name.strip().lower().replace(".", "_")


@lru_cache(20_000)
def _credits(cell: str) -> Decimal:
    """The sum of a row's credits. Raises Rejected."""
    cell = cell.strip()
    if cell in NOTHING or cell == "[]":
        return Decimal(0)
    found = _list(cell)
    amounts = [item.get("amount") for item in found if isinstance(item, dict)]
    if len(amounts) != len(found):
        raise Rejected("credits", "is no list of credits")
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, decimal(str(amount if amount is not None else 0)))
    return total


def _list(cell: str) -> list[Any]:
    try:
        found = json.loads(cell, parse_float=Decimal)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise Rejected("credits", f"is no JSON list: {cell[:60]!r}")
    return found


def _billed(look: Look) -> str | None:
    cost = number(look("cost"))
    credit = _credits(look("credits"))
    if cost is None:
        raise Rejected("cost", "is missing")
    return cost if not credit else format(_EXACT.add(Decimal(cost), credit), "f")


@lru_cache(20_000)
def _labels(cell: str) -> str | None:
    """A list of {key, value}; some exporters write it as Python does, with single quotes."""
    try:
        return tags(cell)
    except Rejected:
        try:
            found: Any = ast.literal_eval(cell) if len(cell) < 65_536 else None
            return tags_json({str(item["key"]): str(item["value"]) for item in found})
        except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
            raise Rejected("labels", f"is no list of labels: {cell[:60]!r}") from None


def _tags(look: Look) -> str | None:
    """The resource's labels over its project's."""
    project, own = _labels(look("project_labels")), _labels(look("labels"))
    if project in (None, "{}"):
        return own
    return tags_json(json.loads(project or "{}") | json.loads(own or "{}"))


def _category(look: Look) -> str | None:
    return _CATEGORIES.get(look("cost_type").strip().lower(), "Usage")


def _class(look: Look) -> str | None:
    return "Correction" if look("cost_type").strip().lower() in ("adjustment", "rounding_error") else None


def _region(look: Look) -> str | None:
    return text(look("location_region")) or text(look("location_location"))


def _resource(look: Look) -> str | None:
    return text(look("resource_global_name")) or text(look("resource_name"))


GCP = Layout(
    name="gcp-billing",
    title="Google Cloud billing export",
    normalise=normalise,
    recognises=lambda header: {"billing_account_id", "service_description", "cost"} <= header,
    constants={"provider": "gcp", "service_provider_name": "Google Cloud"},
    columns={
        "billing_account_id": "billing_account_id",
        "sub_account_id": "project_id",
        "sub_account_name": "project_name",
        "billing_period_start": "invoice_month",
        "day": "usage_start_time",
        "charge_period_start": "usage_start_time",
        "charge_period_end": "usage_end_time",
        "charge_description": "sku_description",
        "service_name": "service_description",
        "host_provider_name": "seller_name",
        "resource_name": "resource_name",
        "availability_zone": "location_zone",
        "sku_id": "sku_id",
        "sku_meter": "sku_description",
        "pricing_quantity": "usage_amount_in_pricing_units",
        "pricing_unit": "usage_pricing_unit",
        "list_unit_price": "price_list_price",
        "contracted_unit_price": "price_effective_price",
        "consumed_quantity": "usage_amount",
        "consumed_unit": "usage_unit",
        "list_cost": ("cost_at_list", "cost"),
        "billing_currency": "currency",
    },
    derived={
        "billed_cost": _billed,
        "effective_cost": _billed,
        "charge_category": _category,
        "charge_class": _class,
        "region_id": _region,
        "resource_native_id": _resource,
        "tags": _tags,
    },
    convert={"billing_period_start": month},
    needed=(("invoice_month",), ("usage_start_time",), ("currency",)),
)
