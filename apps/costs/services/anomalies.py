"""What people say to an anomaly."""

from __future__ import annotations

from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput
from apps.core.states import transition

from ..models import CostAnomaly
from ..states import ANOMALY_MACHINE

# Words for what somebody decides: state → (button, whether a reason is asked for).
DECISIONS = {
    "acknowledged": ("Acknowledge", False),
    "expected": ("It was expected", True),
    "dismissed": ("Dismiss", True),
    "open": ("Open again", False),
}
MAX_REASON = 2_000


def decide_anomaly(*, anomaly: CostAnomaly, status: str, reason: str = "") -> CostAnomaly:
    """Move an anomaly; dismissing it or calling it expected takes a reason.

    Raises InvalidInput, IllegalTransition, StaleState.
    """
    if status not in DECISIONS:
        raise InvalidInput(f"An anomaly becomes one of {', '.join(DECISIONS)}.", field="status")
    reason = reason.strip()
    if DECISIONS[status][1] and not reason:
        raise InvalidInput("Say why: the next one who sees it will ask.", field="reason")
    if len(reason) > MAX_REASON:
        raise InvalidInput(f"A reason has at most {MAX_REASON:,} characters.", field="reason")
    transition(
        ANOMALY_MACHINE,
        anomaly,
        status,
        changes={"reason": reason, "decided_by": str(current().actor), "updated_at": TransactionNow()},
        note=reason,
        payload={"service": anomaly.service, "impact": str(anomaly.impact)},
    )
    anomaly.refresh_from_db()
    return anomaly
