"""The states of a report follow its job's; a retried job leaves the report running."""

from apps.core.states import StateMachine

from .models import Report

REPORT_MACHINE = StateMachine(
    model=Report,
    transitions={
        "queued": frozenset({"running", "failed", "cancelled"}),
        "running": frozenset({"succeeded", "failed", "cancelled"}),
    },
    audit_prefix="reports.report",
)
