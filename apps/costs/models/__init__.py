"""Costs: the series, the finer lines beside it, rollups of our own, and what people make of them."""

from .anomalies import ANOMALY_STATES, CostAnomaly, CostAnomalyEvent
from .budgets import Budget, BudgetAlert
from .lines import CostLine, CostPeriod, CostSettings
from .rollups import CostRollup, CostTagRollup
from .series import CostDay
from .units import UnitMetric

__all__ = [
    "ANOMALY_STATES",
    "Budget",
    "BudgetAlert",
    "CostAnomaly",
    "CostAnomalyEvent",
    "CostDay",
    "CostLine",
    "CostPeriod",
    "CostRollup",
    "CostSettings",
    "CostTagRollup",
    "UnitMetric",
]
