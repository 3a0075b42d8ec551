"""Filters of single resources whose facts the inventory's document holds."""

from __future__ import annotations

from collections.abc import Callable

from apps.rules.custodian.context import Context, Filter
from apps.rules.tree import Rule

FACT_FILTERS: dict[tuple[str, str], Callable[[Filter, Context, str], Rule]] = {}
"""Resource and filter → how it is read."""
