"""Statistics of daily cost series: what stands out, why, and where it is going. No Django here."""

from .causes import Cause, rank_causes
from .events import Event, find_events
from .forecast import Forecast, forecast
from .scoring import Rule, Score, score_series

__all__ = [
    "Cause",
    "Event",
    "Forecast",
    "Rule",
    "Score",
    "find_events",
    "forecast",
    "rank_causes",
    "score_series",
]
