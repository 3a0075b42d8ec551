"""Azure cost details, actual and amortised: enterprise agreement (EA) and customer agreement (MCA).

The agreements write the same columns in different case and with other names; without case, blanks and
underscores they are told apart only by a few. Billed is the cost in the billing currency. In an amortised
export that cost is spread already, so billed and effective are the same number in either export.
"""

from __future__ import annotations

from apps.connectors.billing.cells import text
from apps.connectors.billing.focus import normalise
from apps.connectors.billing.layout import Layout, Look

_COST = ("costinbillingcurrency", "cost", "pretaxcost", "extendedcost")
_CATEGORIES = {
    "purchase": "Purchase",
    "tax": "Tax",
    "refund": "Credit",
    "credit": "Credit",
    "roundingadjustment": "Adjustment",
    "adjustment": "Adjustment",
}
_FREQUENCIES = {"usagebased": "Usage-Based", "recurring": "Recurring", "onetime": "One-Time"}


def _category(look: Look) -> str | None:
    return _CATEGORIES.get(normalise(look("chargetype")), "Usage")


def _frequency(look: Look) -> str | None:
    frequency = text(look("frequency"))
    return _FREQUENCIES.get(normalise(frequency), frequency) if frequency else None


def _pricing(look: Look) -> str | None:
    model = normalise(look("pricingmodel"))
    if model in ("reservation", "savingsplan"):
        return "Committed"
    return {"ondemand": "Standard", "spot": "Dynamic"}.get(model, text(look("pricingmodel")))


def _commitment_type(look: Look) -> str | None:
    model = normalise(look("pricingmodel"))
    return {"reservation": "Reservation", "savingsplan": "Savings Plan"}.get(model)


def _resource(look: Look) -> str | None:
    """As Azure writes it elsewhere: with its leading slash, which some exports leave out."""
    found = text(look("resourceid")) or text(look("instanceid")) or text(look("instancename"))
    return f"/{found}" if found and found.lower().startswith("subscriptions/") else found


def _resource_type(look: Look) -> str | None:
    parts = (_resource(look) or "").split("/providers/")[-1].split("/")
    return f"{parts[0]}/{parts[1]}".lower() if len(parts) >= 3 and "." in parts[0] else None


AZURE = Layout(
    name="azure-cost-details",
    title="Azure cost details, EA and MCA",
    normalise=normalise,
    recognises=lambda header: "metercategory" in header and any(name in header for name in _COST),
    constants={"provider": "azure", "service_provider_name": "Microsoft"},
    columns={
        "billing_account_id": ("billingaccountid", "billingaccount", "enrollmentnumber", "billingprofileid"),
        "billing_account_name": ("billingaccountname", "billingprofilename"),
        "sub_account_id": ("subscriptionid", "subscriptionguid"),
        "sub_account_name": "subscriptionname",
        "billing_period_start": ("billingperiodstartdate", "billingperiodstart"),
        "billing_period_end": ("billingperiodenddate", "billingperiodend"),
        "day": ("date", "usagedatetime", "usagedate"),
        "charge_period_start": ("date", "usagedatetime", "usagedate"),
        "charge_description": ("product", "productname"),
        "service_name": "metercategory",
        "service_category": "servicefamily",
        "service_subcategory": "metersubcategory",
        "host_provider_name": "publishername",
        "invoice_id": "invoiceid",
        "resource_name": "resourcename",
        "region_id": ("resourcelocation", "resourcelocationnormalized", "location"),
        "region_name": "meterregion",
        "availability_zone": "availabilityzone",
        "sku_id": ("productid", "partnumber"),
        "sku_meter": "metername",
        "sku_price_id": "meterid",
        "pricing_quantity": "quantity",
        "pricing_unit": "unitofmeasure",
        "list_unit_price": "paygprice",
        "contracted_unit_price": "unitprice",
        "consumed_quantity": "quantity",
        "consumed_unit": "unitofmeasure",
        "commitment_discount_id": ("benefitid", "reservationid"),
        "commitment_discount_name": ("benefitname", "reservationname"),
        "billed_cost": _COST,
        "effective_cost": _COST,
        "billing_currency": ("billingcurrency", "billingcurrencycode", "currency"),
        "tags": "tags",
    },
    derived={
        "charge_category": _category,
        "charge_frequency": _frequency,
        "pricing_category": _pricing,
        "commitment_discount_type": _commitment_type,
        "resource_native_id": _resource,
        "resource_type": _resource_type,
    },
    needed=(
        ("billingaccountid", "billingaccount", "enrollmentnumber", "billingprofileid"),
        ("billingperiodstartdate", "billingperiodstart"),
        ("date", "usagedatetime", "usagedate"),
        ("billingcurrency", "billingcurrencycode", "currency"),
    ),
)
