"""What people say to a recommendation."""

from __future__ import annotations

from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput
from apps.core.states import transition

from ..models import Recommendation
from ..states import RECOMMENDATION_MACHINE

DECISIONS = {"accepted": "Accept", "dismissed": "Dismiss", "open": "Open again"}
MAX_REASON = 2_000


def decide_recommendation(*, recommendation: Recommendation, status: str, reason: str = "") -> Recommendation:
    """Accept it, dismiss it, which takes a reason, or open it again.

    Raises InvalidInput, IllegalTransition (it is gone: nothing is left to decide), StaleState.
    """
    if status not in DECISIONS:
        raise InvalidInput(f"A recommendation becomes one of {', '.join(DECISIONS)}.", field="status")
    reason = reason.strip()
    if status == "dismissed" and not reason:
        raise InvalidInput("Say why: the next one who sees it will ask.", field="reason")
    if len(reason) > MAX_REASON:
        raise InvalidInput(f"A reason has at most {MAX_REASON:,} characters.", field="reason")
    decided = status != "open"
    transition(
        RECOMMENDATION_MACHINE,
        recommendation,
        status,
        changes={
            "decision_reason": reason,
            "decided_by_id": current().actor.user_id if decided else None,
            "decided_at": TransactionNow() if decided else None,
        },
        note=reason,
        payload={"title": recommendation.title, "savings": str(recommendation.savings or "")},
    )
    recommendation.refresh_from_db()
    return recommendation
