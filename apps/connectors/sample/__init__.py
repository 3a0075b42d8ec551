"""A made-up company: what it runs in four clouds (`estate`) and what that costs (`costs`)."""

from apps.connectors.sample.costs import costs
from apps.connectors.sample.estate import estate
from apps.connectors.sample.focus import focus_lines

__all__ = ["costs", "estate", "focus_lines"]
