"""Which part of a bill made the difference: parts ranked by their share of it, the narrowest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

# Among parts that explain about as much, the one that says more: a resource over the account it lies in.
_TELLING = {
    "resource": Decimal("0.12"),
    "sku": Decimal("0.06"),
    "account": Decimal("0.04"),
    "tag": Decimal("0.02"),
}
LEAST_SHARE = Decimal("0.05")
KEPT = 12


@dataclass(frozen=True)
class Cause:
    """A value of a dimension: what it cost in the usual days and now, and its share of the whole difference."""

    dimension: str
    value: str
    label: str
    before: Decimal
    now: Decimal
    share: Decimal

    @property
    def difference(self) -> Decimal:
        return self.now - self.before


def rank_causes(parts: Iterable[tuple[str, str, str, Decimal, Decimal]], difference: Decimal) -> list[Cause]:
    """Parts are (dimension, value, label, before, now), all values of each dimension; only those that pull the way of
    `difference` are causes.

    A share may be over 1: another part went the other way.
    """
    if not difference:
        return []
    found = list(parts)
    # A dimension that all of the bill shares one value of says nothing about the difference.
    values = Counter(part[0] for part in found)
    telling_parts = [part for part in found if values[part[0]] > 1] or found
    causes = [
        Cause(dimension, value, label, before, now, ((now - before) / difference).quantize(Decimal("0.0001")))
        for dimension, value, label, before, now in telling_parts
    ]
    telling = [cause for cause in causes if cause.share >= LEAST_SHARE]
    telling.sort(key=_rank, reverse=True)
    return telling[:KEPT]


def _rank(cause: Cause) -> tuple[Decimal, Decimal]:
    bonus = next((b for name, b in _TELLING.items() if cause.dimension.startswith(name)), Decimal(0))
    return min(cause.share, Decimal(1)) + bonus, abs(cause.difference)
