"""List prices where a kind of action is about money: a small table, and None for what is not in it.

Real bills differ (discounts, commitments, currencies): savings from here are estimates, and the costs that
follow say what became of them.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

HOURS_A_MONTH = Decimal(730)
_CENT = Decimal("0.01")


@cache
def _table() -> dict[str, Any]:
    text = (Path(__file__).with_name("aws_prices.json")).read_text()
    table: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return table


def aws_price(what: str, name: str, region: str | None) -> Decimal | None:
    """In US dollars: `instance_hour` and `database_hour` of a type, `volume_month` of a GiB of a kind."""
    prices: dict[str, Decimal] = _table()["regions"].get(region or "", {}).get(what, {})
    return prices.get(name)


def monthly(hourly: Decimal | None) -> str | None:
    """An hourly price as a month's, a decimal text."""
    return None if hourly is None else str((hourly * HOURS_A_MONTH).quantize(_CENT))


def cents(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount.quantize(_CENT))
