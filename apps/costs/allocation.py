"""Showback: what each value of a tag costs, with what nobody is tagged for split over those who are.

The split is exact: shares are rounded down to the sixth place and what is left goes to the largest, so that the
sum is the bill.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal

from django.db.models import Sum

from apps.core.errors import InvalidInput

from .explorer import NOTHING
from .models import CostTagRollup
from .services.settings import cost_settings

SPLITS = ("proportional", "even", "none")
_PLACES = Decimal("0.000001")
_EXACT = Context(prec=400)


@dataclass(frozen=True)
class Share:
    """What a tag's value is billed itself, its part of the shared cost, and both."""

    value: str
    own: Decimal
    shared: Decimal

    @property
    def total(self) -> Decimal:
        return self.own + self.shared


@dataclass(frozen=True)
class Allocation:
    """`pool` is what was split; `left` what was not, for there was nobody to split it over, or `split` is none."""

    key: str
    start: dt.date
    end: dt.date
    split: str
    shares: list[Share]
    pool: Decimal
    left: Decimal
    currency: str

    @property
    def total(self) -> Decimal:
        return sum((share.total for share in self.shares), Decimal(0)) + self.left


def allocate(
    *, key: str, start: dt.date, end: dt.date, split: str = "proportional", shared: Sequence[str] = ()
) -> Allocation:
    """Costs of the days by the tag `key`; what lacks it and the values in `shared` are the pool.

    Raises InvalidInput naming the parameter.
    """
    settings = cost_settings()
    if key not in (settings.tag_keys or []):
        known = ", ".join(settings.tag_keys or []) or "none yet"
        raise InvalidInput(f"The tag key {key!r} is not rolled up; there are {known}.", field="key")
    if split not in SPLITS:
        raise InvalidInput(f"split is one of {', '.join(SPLITS)}.", field="split")
    if start > end:
        raise InvalidInput("The first day lies behind the last one.", field="from")
    rows = CostTagRollup.objects.filter(key=key, day__gte=start, day__lte=end, currency=settings.currency)
    totals = dict(rows.values_list("value").annotate(total=Sum("billed")).order_by("value"))
    pooled = {"", *(value for value in shared if value != NOTHING)}
    own = {value: total for value, total in totals.items() if value not in pooled}
    pool = sum((total for value, total in totals.items() if value in pooled), Decimal(0))
    parts = split_exactly(pool, own, even=split == "even") if split != "none" else {}
    shares = [Share(value, amount, parts.get(value, Decimal(0))) for value, amount in own.items()]
    shares.sort(key=lambda share: (-share.total, share.value))
    left = pool - sum(parts.values(), Decimal(0))
    return Allocation(key, start, end, split, shares, pool, left, settings.currency)


def split_exactly(pool: Decimal, own: Mapping[str, Decimal], *, even: bool) -> dict[str, Decimal]:
    """`pool` over the values, evenly or by what each costs itself; the parts add up to it to the last digit."""
    weights = {value: Decimal(1) if even else max(amount, Decimal(0)) for value, amount in own.items()}
    whole = sum(weights.values(), Decimal(0))
    if not whole or not pool:
        return {}
    parts = {
        value: _EXACT.divide(_EXACT.multiply(pool, weight), whole).quantize(_PLACES, ROUND_DOWN, _EXACT)
        for value, weight in weights.items()
    }
    largest = max(weights, key=lambda value: (weights[value], value))
    parts[largest] = _EXACT.add(parts[largest], pool - sum(parts.values(), Decimal(0)))
    return parts
