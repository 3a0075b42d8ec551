"""What there is to decide on exceptions, and what is decided on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html

from apps.tenancy.admin_decisions import Decision, DecisionDesk

from ..models import PolicyException
from ..scope import Scope
from ..services.exception_facts import changes_since_asked, impact_of, shown_digest
from ..services.exception_sql import one_decision_at_a_time
from ..services.exceptions import approve_exception, reject_exception, revoke_exception
from .impact import coverage_of

APPROVE = Decision(
    "approve", "approved", "pending", False,
    lambda row, digest, reason: approve_exception(exception=row, reason=reason),
    "The violations it covers are shown as excepted until it expires. They are still evaluated.",
)  # fmt: skip
REJECT = Decision(
    "reject", "rejected", "pending", True,
    lambda row, digest, reason: reject_exception(exception=row, reason=reason),
    "The violations stay open. The requester sees your reason.",
)  # fmt: skip
REVOKE = Decision(
    "revoke", "revoked", "approved", True,
    lambda row, digest, reason: revoke_exception(exception=row, reason=reason),
    "The violations it covers are open again at once, in every list and count.",
)  # fmt: skip


class ExceptionDesk(DecisionDesk):
    model = PolicyException
    noun, nouns = "exception", "exceptions"
    refusal_code = "findings.exception.decision_refused"
    own = "You asked for this exception yourself: somebody else must decide."
    changed = "The request, its policy or its resource has changed since the page was made. Look again and decide anew."
    section = "admin/desk/exception_section.html"
    decisions = (APPROVE, REJECT, REVOKE)
    columns = ("Exception for", "Resource", "Asked by", "Reason", "Impact", "Expires")

    def rows(self) -> Any:
        return PolicyException.objects.select_related("policy", "resource", "created_by", "decided_by")

    def digest(self, row: Any) -> str:
        return shown_digest(row)

    def already(self, row: Any) -> str:
        who = f" by {row.decided_by}" if row.decided_by else ""
        when = f" at {row.decided_at:%Y-%m-%d %H:%M} UTC" if row.decided_at else ""
        return f"It is no longer open to this: it was {row.status}{who}{when}."

    def is_own(self, row: Any, user_id: Any) -> bool:
        return bool(row.created_by_id == user_id)

    def forbids_own(self, decision: Decision) -> bool:
        return decision is not REVOKE

    def name(self, row: Any) -> str:
        if row.selector is not None:
            return str(row.words)
        return row.policy.name if row.policy else "every policy"

    def told(self, row: Any) -> str:
        return str(row.reason)

    def where(self, row: Any) -> str:
        return row.resource.display_id if row.resource else "every resource"

    def prepare(self, rows: Sequence[Any]) -> None:
        coverage = coverage_of(rows)
        for row in rows:
            row.coverage = coverage[row.pk]
        if (
            len(rows) == 1 and rows[0].status == "pending"
        ):  # the page of one: what it hides to the row, and what is new
            row = rows[0]
            row.impact_now = impact_of(Scope.of(row))
            row.changes = changes_since_asked(row, row.impact_now)

    def _locked(self, row_id: Any) -> Any:
        # Before the row's own lock, as everywhere: two who wait for each other's would both be turned away.
        one_decision_at_a_time()
        return super()._locked(row_id)

    def cells(self, row: Any) -> Sequence[str]:
        reason = row.reason if len(row.reason) <= 200 else f"{row.reason[:199]}…"
        return (
            format_html("{}", self.name(row)),
            format_html('<span class="desk-id">{}</span>', self.where(row)),
            format_html("{}", row.created_by or "–"),
            format_html("{}", reason),
            render_to_string("admin/desk/cell_impact.html", {"coverage": row.coverage}),
            format_html("{}", f"{row.expires_at:%Y-%m-%d}" if row.expires_at else "never"),
        )


DESK = ExceptionDesk()
