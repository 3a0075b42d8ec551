"""FOCUS Cost and Usage, versions 1.0 to 1.4 (FinOps Open Cost and Usage Specification).

1.4's names are kept. ProviderName and PublisherName, which it no longer has, stand in for ServiceProviderName
and HostProviderName. Columns beside the specification's (`x_…`, or a stray one) are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.connectors.billing.cells import text
from apps.connectors.billing.charges import NAMES
from apps.connectors.billing.layout import Layout
from apps.connectors.records import Rejected

# Other data sets of the specification, by a column that Cost and Usage does not have.
_OTHER_SETS = {
    "contractcommitmentid": (
        "FOCUS's Contract Commitment data set: what was committed to, not what was charged",
        "billedcost",
    ),
    "invoicedetailgrain": ("FOCUS's Invoice Detail data set: an invoice's positions, not its charges", ""),
    "billingperiodstatus": ("FOCUS's Billing Period data set: which periods are closed, no charges", ""),
}
_OWN_NAMES = {"provider", "day", "resource_native_id"}


def normalise(name: str) -> str:
    return name.strip().lower().replace("_", "").replace(" ", "")


def refuse_other_set(header: frozenset[str]) -> None:
    """Raises Rejected in words where the file is another of FOCUS's data sets."""
    for column, (what, unless) in _OTHER_SETS.items():
        if column in header and not (unless and unless in header and "chargeperiodstart" in header):
            raise Rejected(None, f"this is {what}; export the Cost and Usage data set and import that")


def provider_code(name: str) -> str | None:
    """The code of a provider by the name that bills give it; its own name in lower case where it is another."""
    known = text(name)
    if known is None:
        return None
    low = known.lower()
    if low.startswith(("amazon", "aws")):
        return "aws"
    if low.startswith(("microsoft", "azure")):
        return "azure"
    if low.startswith(("google", "gcp")):
        return "gcp"
    return "ibm" if low.startswith("ibm") else low


def _columns() -> dict[str, str | Sequence[str]]:
    columns: dict[str, str | Sequence[str]] = {
        name: name.replace("_", "") for name in NAMES if name not in _OWN_NAMES
    }
    return columns | {
        "provider": ("serviceprovidername", "providername", "publishername", "invoiceissuername"),
        "day": "chargeperiodstart",
        "resource_native_id": "resourceid",
        "service_provider_name": ("serviceprovidername", "providername"),
        "host_provider_name": ("hostprovidername", "publishername"),
    }


FOCUS = Layout(
    name="focus",
    title="FOCUS 1.0 to 1.4, Cost and Usage",
    normalise=normalise,
    recognises=lambda header: {"billedcost", "chargeperiodstart"} <= header,
    columns=_columns(),
    needed=(
        ("serviceprovidername", "providername", "publishername", "invoiceissuername"),
        ("billedcost",),
        ("billingaccountid",),
        ("billingcurrency",),
        ("billingperiodstart",),
        ("chargeperiodstart",),
        ("servicename",),
    ),
    convert={
        "provider": provider_code,
        "charge_category": lambda cell: text(cell) or "Usage",
    },
)
