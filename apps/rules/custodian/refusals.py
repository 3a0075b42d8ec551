"""Why a filter is not supported, in words that many policies share, so that reasons can be counted."""

from __future__ import annotations

_REASONS = {
    "reduce": "the filter reduce picks among the resources found, which is no property of one",
    "event": "the filter event reads the event that started a function",
    "offhour": "the filter offhour depends on the hour of the run",
    "onhour": "the filter onhour depends on the hour of the run",
    "time-range": "the filter time-range depends on the hour of the run",
    "metrics": "the filter metrics reads monitoring data",
    "metric": "the filter metric reads monitoring data",
    "usage-metric": "the filter usage-metric reads monitoring data",
    "shield-metrics": "the filter shield-metrics reads monitoring data",
    "cost": "the filter cost reads billing data",
}


def refusal(kind: str, resource: str) -> str:
    """The reason for refusing a filter by its type."""
    return _REASONS.get(kind) or (f"the filter {kind[:60]} asks the cloud for more than the inventory holds")
