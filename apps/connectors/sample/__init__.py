"""A made-up company: what it runs in four clouds (`estate`) and what that costs (`costs`)."""

from apps.connectors.sample.costs import costs
from apps.connectors.sample.estate import estate

__all__ = ["costs", "estate"]
