"""The states of an anomaly. People decide; `withdrawn` and its return are a restatement's doing."""

from __future__ import annotations

from django.db import models

from apps.core.context import current
from apps.core.states import StateMachine

from .models import CostAnomaly, CostAnomalyEvent


def _write_event(anomaly: models.Model, from_state: str, to_state: str, note: str) -> None:
    CostAnomalyEvent.objects.create(
        anomaly_id=anomaly.pk,
        actor=str(current().actor),
        from_status=from_state,
        to_status=to_state,
        note=note,
    )


_DECIDED = frozenset({"acknowledged", "dismissed", "expected"})

ANOMALY_MACHINE = StateMachine(
    model=CostAnomaly,
    transitions={
        "open": _DECIDED | {"withdrawn"},
        "acknowledged": frozenset({"open", "dismissed", "expected", "withdrawn"}),
        "dismissed": frozenset({"open", "withdrawn"}),
        "expected": frozenset({"open", "withdrawn"}),
        "withdrawn": frozenset({"open"}),
    },
    audit_prefix="costs.anomaly",
    event=_write_event,
)
