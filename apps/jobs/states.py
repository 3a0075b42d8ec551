"""The states of a job. Taking over an expired lease stays in `running`; a retry goes back to `queued`."""

from apps.core.states import StateMachine

from .models import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, Job

JOB_MACHINE = StateMachine(
    model=Job,
    transitions={
        QUEUED: frozenset({RUNNING, CANCELLED, FAILED}),
        RUNNING: frozenset({SUCCEEDED, FAILED, CANCELLED, QUEUED}),
    },
    audit_prefix="jobs.job",
)
