"""What there is to decide on actions: just the plan that is shown, by its digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.template.loader import render_to_string
from django.utils.html import format_html

from apps.tenancy.admin_decisions import Decision, DecisionDesk

from ..models import Action, ActionApproval
from ..plans import differences
from ..rules import RISKS
from ..services.deciding import already, approve_action, is_waiting, reject_action

APPROVE = Decision(
    "approve", "approved", "waiting for approval", False,
    lambda row, digest, reason: approve_action(action=row, plan_sha256=digest, reason=reason),
    "With the last approval that it needs it is carried out at once. Each resource is read again just before: "
    "where anything differs from this plan, it stops and asks again.",
)  # fmt: skip
REJECT = Decision(
    "reject", "rejected", "waiting for approval", True,
    lambda row, digest, reason: reject_action(action=row, plan_sha256=digest, reason=reason),
    "Nothing is changed, and the action ends. The requester sees your reason.",
)  # fmt: skip
DIFFS_SHOWN = 50


class ActionDesk(DecisionDesk):
    model = Action
    noun, nouns = "action", "actions"
    refusal_code = "actions.action.decision_refused"
    own = "You asked for this action: somebody else has to decide."
    changed = "The plan has changed since it was shown. Look again and decide anew."
    section = "admin/desk/action_section.html"
    decisions = (APPROVE, REJECT)
    columns = ("Action", "On", "Asked by", "What changes", "Approvals")

    def rows(self) -> Any:
        return with_approvals(Action.objects.select_related("requested_by"))

    def digest(self, row: Any) -> str:
        return str(row.plan_sha256)

    def is_open(self, decision: Decision, row: Any) -> bool:
        return is_waiting(row)

    def already(self, row: Any) -> str:
        return already(row)

    def is_own(self, row: Any, user_id: Any) -> bool:
        return bool(row.requested_by_id == user_id)

    def name(self, row: Any) -> str:
        return str((row.plan or {}).get("title") or row.type)

    def where(self, row: Any) -> str:
        targets = (row.plan or {}).get("targets") or []
        if len(targets) == 1:
            return str(targets[0]["native_id"])
        return f"{len(targets)} resources" if targets else str(row.resource_id or "")

    def prepare(self, rows: Sequence[Any]) -> None:
        for row in rows:
            plan = row.plan or {}
            targets = plan.get("targets") or []
            row.risk_word = ("", *RISKS)[row.risk] if 0 <= row.risk <= len(RISKS) else ""
            row.diffs = [
                {**target, "changes": differences(target["before"], target["after"])}
                for target in targets[:DIFFS_SHOWN]
            ]
            row.more_targets = max(0, len(targets) - DIFFS_SHOWN)
            row.left_out = plan.get("left_out") or []
            row.blast, row.saving = plan.get("blast") or {}, plan.get("monthly_saving")
            row.because = "; ".join((plan.get("approvals") or {}).get("because") or [])

    def cells(self, row: Any) -> Sequence[str]:
        return (
            format_html("{}", self.name(row)),
            format_html('<span class="desk-id">{}</span>', self.where(row)),
            format_html("{}", row.requested_by or "–"),
            render_to_string("admin/desk/cell_changes.html", {"row": row}),
            format_html("{} of {}", row.given, row.approvals_needed),
        )


def with_approvals(rows: Any) -> Any:
    """Annotates `given`: the approvals that count for the plan as it is now."""
    valid = ActionApproval.objects.filter(
        action=OuterRef("pk"), decision="approved",
        plan_revision=OuterRef("plan_revision"), plan_sha256=OuterRef("plan_sha256"),
    )  # fmt: skip
    given = valid.order_by().values("action").annotate(n=Count("pk")).values("n")
    return rows.annotate(given=Coalesce(Subquery(given), 0))


DESK = ActionDesk()
