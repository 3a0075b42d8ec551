"""Money and scopes in words and cells."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

DIMENSIONS = {
    "resource": "resource",
    "sku": "meter",
    "account": "account",
    "region": "region",
    "service": "service",
    "provider": "provider",
}


def money(amount: Any, currency: str = "") -> SafeString:
    """Two places to read, every place in the title."""
    exact = Decimal(amount)
    return format_html('<span title="{}">{} {}</span>', exact, f"{exact:,.2f}", currency)


def totals_in_words(totals: Mapping[str, str]) -> str:
    return ", ".join(f"{Decimal(total):,.2f} {currency}" for currency, total in sorted(totals.items()))


def dimension_in_words(dimension: str) -> str:
    """`tag:team` → tag team, `sku` → meter."""
    return f"tag {dimension[4:]}" if dimension.startswith("tag:") else DIMENSIONS.get(dimension, dimension)


def cause_in_words(causes: list[dict[str, Any]]) -> SafeString:
    """The first cause of an anomaly, with its share."""
    if not causes:
        return format_html('<span class="quiet">{}</span>', "no lines behind it")
    first = causes[0]
    return format_html(
        "{} {} <strong>{} %</strong>",
        dimension_in_words(first["dimension"]).capitalize(),
        first["label"],
        int(Decimal(first["share"]) * 100),
    )


def scope_in_words(scope: str, key: str, value: str) -> str:
    """What a budget is for."""
    if scope == "tenant":
        return "everything"
    return f"tag {key}={value}" if scope == "tag" else f"{scope} {value}"
