"""What every step of the runner stands on: guarded transactions, guarded calls, and how it waits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.utils import timezone

from apps.catalog.services import evidence_years
from apps.connectors.clouds import Cloud
from apps.connectors.errors import CloudError, CloudThrottled
from apps.core.context import tenant_transaction
from apps.core.errors import GovernanceError
from apps.core.states import transition
from apps.evidence.client import refuse_open_transaction
from apps.evidence.errors import StoreAway, StoreDenied, StoreRefused
from apps.findings.models import ViolationRecord
from apps.jobs.running import JobHandle, JobPostponed, LeaseLost

from ..evidence import Folder, Piece, lock, sealed, with_entries
from ..executors.base import Executor
from ..models import Action, ActionTarget
from ..notifying import tell_ended
from ..ports import cloud_of
from ..states import ACTION_MACHINE, say
from ..troubles import words

T = TypeVar("T")
WAITS = tuple(timedelta(seconds=s) for s in (2, 5, 15, 30, 60, 120))
MOST_ATTEMPTS = len(WAITS)
STORE_WAITS = tuple(timedelta(seconds=s) for s in (1, 2, 5, 10, 20, 30))


class Overtaken(Exception):
    """The action is no longer this job's, or was moved by a person: stop, and record nothing."""


class Run:
    """One job's turn at one action."""

    def __init__(self, handle: JobHandle, executor: Executor) -> None:
        self.handle, self.executor = handle, executor
        self.action_id = UUID(str(handle.params["action"]))
        self._clouds: dict[tuple[str, str | None], Cloud] = {}

    # --- the database ---------------------------------------------------------------------------------
    def load(self) -> tuple[Action, list[ActionTarget]]:
        with tenant_transaction(self.handle.tenant_id):
            action = Action.objects.get(pk=self.action_id)
            return action, list(action.targets.order_by("ordinal"))

    @contextlib.contextmanager
    def recording(self, *states: str) -> Iterator[Action]:
        """A short transaction with the action locked. Raises LeaseLost or Overtaken, in which case nothing that
        this turn found out is written."""
        with tenant_transaction(self.handle.tenant_id):
            if not self.handle.holds_lease():
                raise LeaseLost
            action = Action.objects.select_for_update().get(pk=self.action_id)
            if action.job_id != self.handle.job_id or action.status not in states:
                raise Overtaken
            yield action

    # --- the cloud ------------------------------------------------------------------------------------
    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call the cloud: no transaction is open, and the lease is this turn's just before."""
        refuse_open_transaction("a cloud")
        self.handle.checkpoint()
        return function(*args)

    def cloud(self, provider: str, account: str | None) -> Cloud:
        key = (provider, account)
        if key not in self._clouds:
            refuse_open_transaction("a cloud")
            self._clouds[key] = cloud_of(provider=provider, account=account)
        return self._clouds[key]

    # --- waiting and ending ---------------------------------------------------------------------------
    def wait_for_cloud(self, error: CloudError, state: str, about: str) -> Exception:
        """What to raise: JobPostponed with a growing wait, or, when that has been enough, Overtaken after the
        action was put aside as a dead letter."""
        with self.recording(state) as action:
            attempt = action.attempts + 1
            if attempt > MOST_ATTEMPTS:
                message = f"{about}: {words(error)} Given up after {MOST_ATTEMPTS} attempts."
                self.end(action, "dead_letter", message, retryable=True)
                return Overtaken()
            wait = WAITS[attempt - 1]
            if isinstance(error, CloudThrottled) and error.retry_after:
                wait = max(wait, timedelta(seconds=min(error.retry_after, 600)))
            Action.objects.filter(pk=action.pk).update(attempts=attempt, waits_for="cloud")
            note = f"{about}: {words(error)}"
            say(
                action,
                f"{note} Next attempt in {int(wait.total_seconds())} s ({attempt} of {MOST_ATTEMPTS}).",
            )
        return JobPostponed(wait, note)

    def lock(self, action: Action, pieces: Sequence[Piece], state: str) -> list[dict[str, Any]]:
        """Put evidence away; where the store is away, the action waits in its state."""
        self.handle.checkpoint()
        try:
            return lock(self._folder(action), pieces)
        except (StoreAway, StoreDenied, StoreRefused) as error:
            raise self._wait_for_store(error, state) from error

    def _folder(self, action: Action) -> Folder:
        """Kept for as long as the frameworks of the policies want that it answers."""
        with tenant_transaction(self.handle.tenant_id):
            violations = action.targets.exclude(violation_id=None).values("violation_id")
            policies = ViolationRecord.objects.filter(pk__in=violations, policy_id__isnull=False)
            ids = policies.order_by().values_list("policy_id", flat=True).distinct()
            return Folder(action.pk, action.created_at, evidence_years([str(pk) for pk in ids]))

    def _wait_for_store(self, error: GovernanceError, state: str) -> JobPostponed:
        with self.recording(state) as action:
            if action.waits_for != "store":
                say(action, f"Waits for the evidence store, and goes on when it is back: {error}")
            attempt = action.attempts if action.waits_for == "store" else 0
            Action.objects.filter(pk=action.pk).update(waits_for="store", attempts=attempt + 1)
        return JobPostponed(
            STORE_WAITS[min(attempt, len(STORE_WAITS) - 1)], f"Waits for the evidence store: {error}"
        )

    def end(
        self,
        action: Action,
        outcome: str,
        message: str,
        *,
        state: str = "failed",
        retryable: bool = False,
        entries: Sequence[Mapping[str, Any]] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """End it, within a recording."""
        result = with_entries(action.result, entries)
        result |= {"outcome": outcome, "message": message, "retryable": retryable, **(facts or {})}
        result |= {"ended_at": timezone.now().isoformat()}
        help_ = " It may be tried again." if retryable and state == "failed" else ""
        transition(
            ACTION_MACHINE,
            action,
            state,
            changes={"result": result, "waits_for": ""},
            note=f"{message}{help_}",
            payload=sealed(result, outcome=outcome),
        )
        tell_ended(action)
